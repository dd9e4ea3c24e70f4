"""From a Keras model to the graph that is converted."""

import dataclasses

import keras
import tensorflow as tf

from sfcl_tf.engines.inference import faster
from sfcl_tf.layers import Standardize
from sfcl_tf.models.parts import parts


@dataclasses.dataclass(frozen=True)
class FrozenGraph:
    """A forward pass without variables.

    Attributes:
        definition: TensorFlow's graph, with a placeholder for each input.
        inputs: Their names.
        output: Name of the tensor that is the logit, `(B, 1)` float32.
        float32: Layers, or parts of them, that are not computed in 8 bits.
        standardized: Layers up to whose output nothing is computed in bfloat16.
    """

    definition: tf.compat.v1.GraphDef
    inputs: tuple[str, ...]
    output: str
    float32: frozenset[str]
    standardized: frozenset[str]


def freeze(model: keras.Model) -> FrozenGraph:
    """Traces a model for any size of batch, its weights as constants.

    From variables, OpenVINO finds the weights of some of Keras's SavedModels only,
    and a SavedModel takes six times as long to write.

    Args:
        model: A model of `{image, sida}` in float32; see `in_float32`.
    """
    # There is no public name for it; tf2onnx and TensorFlow Lite take this one too.
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    shapes = input_shapes(model)
    model = _for_inference(model)

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, *shape), tf.float32, name=name)
            for name, shape in shapes.items()
        ],
        autograph=False,
        jit_compile=False,
    )
    def forward(*inputs):
        return model(dict(zip(shapes, inputs, strict=True)), training=False)

    frozen = convert_variables_to_constants_v2(forward.get_concrete_function())
    return FrozenGraph(
        frozen.graph.as_graph_def(),
        tuple(shapes),
        frozen.outputs[0].name,
        frozenset([*parts(model).float32, "logit"]),
        frozenset(x.name for x in model.layers if isinstance(x, Standardize)),
    )


def in_float32(model: keras.Model) -> keras.Model:
    """Returns the model, or a copy where it computes in another precision.

    A model trained in mixed_bfloat16 casts in its graph; which precision it is run
    in is the engine's to say.
    """
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model

    def clone(layer):
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation, which has no precision of its own
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _for_inference(model):
    """Returns the model with layers that engines compute faster, and to the same."""
    replaced = {layer.name: faster(layer) for layer in model.layers if faster(layer)}
    if not replaced:
        return model

    def clone(layer):
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation, which has no weights
        if layer.name in replaced:
            inputs = keras.tree.map_structure(lambda x: x.shape, layer.input)
            return replaced[layer.name](layer, inputs)
        return type(layer).from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        if layer.name not in replaced:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def image_size(model: keras.Model) -> int:
    """Returns the side of a model's image in pixels."""
    return input_shapes(model)["image"][0]


def input_shapes(model: keras.Model) -> dict[str, tuple[int, ...]]:
    """Returns the shapes of a model's inputs by name, without the batch."""
    return {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
