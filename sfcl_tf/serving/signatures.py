"""What the SavedModel can be asked, as graph functions.

```
image_bytes -> pixels -> crop -> {image, sida} -> logit -> score, verdict
```

An image that cannot be used keeps its place in the batch: its numbers are NaN, and
`status` says why. The other images are not affected.
"""

import dataclasses
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from sfcl_tf.config import Config
from sfcl_tf.evaluation import Calibration
from sfcl_tf.inputs.preprocess import MIN_SIDE, Preprocessor
from sfcl_tf.models.views import with_views
from sfcl_tf.serving.decode import DAMAGED, decode_bounded

MAX_FACES = 1024
"""Most faces of a request, or of those that a server puts into one batch."""

MAX_BOXES = 32
"""Most boxes of a frame."""

MAX_SIDE = 2304
"""Longest side of a crop in pixels; SIDA of it takes some 0.5 GB."""

TOO_SMALL = f"Expected a face of at least {MIN_SIDE}x{MIN_SIDE} pixels on the grid."
CROP_TOO_LARGE = f"Expected a face crop of at most {MAX_SIDE}x{MAX_SIDE} pixels."
UNUSED = "No face: the box is empty."
OUTSIDE = "No face: the box lies outside of the image."

_PARALLEL = 16  # images prepared at a time, where there are as many cores
_AT_ONCE = 32  # faces that go through the network together; more follow
_EXPLAINED_AT_ONCE = 8  # fewer: all activations are kept for the gradient


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A signature: a function of tensors, and what it takes.

    Attributes:
        function: Keyword arguments named as in `inputs`, to a dict of tensors.
        inputs: Specs, each with its name; the first axis is the batch.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: tuple[tf.TensorSpec, ...]


class Signatures:
    """The signatures of a model: see `endpoints`.

    Args:
        model: The trained model.
        config: Its run's configuration.
        calibration: What turns its logit into a score and a verdict.
    """

    def __init__(self, model: keras.Model, config: Config, calibration: Calibration):
        self._config = config
        self._calibration = calibration
        self._preprocess = Preprocessor(config)
        self._views = with_views(model)
        self._specs = tuple(self._preprocess.specs.values())
        # Each traced once, whatever the number of signatures.
        self._prepare = tf.function(
            self._from_encoded,
            input_signature=[tf.TensorSpec((None,), tf.string)],
            autograph=False,
        )
        batched = [
            tf.TensorSpec((None, *spec.shape), spec.dtype) for spec in self._specs
        ]
        self._forward, self._explained = (
            tf.function(
                function, input_signature=batched, autograph=False, jit_compile=False
            )
            for function in (self._run, self._run_with_gradient)
        )

    def endpoints(self) -> dict[str, Endpoint]:
        """Returns the signatures by name."""
        encoded = tf.TensorSpec((None,), tf.string, "image_bytes")
        crops = tf.TensorSpec((None, None, None, 3), tf.uint8, "crops")
        boxes = tf.TensorSpec((None, None, 4), tf.float32, "boxes")
        return {
            "serving_default": Endpoint(self.score_encoded, (encoded,)),
            "crops": Endpoint(self.score_crops, (crops,)),
            "frame": Endpoint(self.score_frames, (encoded, boxes)),
            "features": Endpoint(self.features, (encoded,)),
            "explain": Endpoint(self.explain, (encoded,)),
        }

    def score_encoded(self, image_bytes):
        """Scores face crops, `(B,)` of JPEG or PNG bytes.

        Returns:
            `logit` and `score`, `(B,)` float32, `verdict`, of this picture alone, and
            `status`, `(B,)` string.
        """
        _bound(tf.size(image_bytes))
        return self._score(*self._prepare(image_bytes[:MAX_FACES]))

    def score_crops(self, crops):
        """Scores face crops of one size, `(B, H, W, 3)` uint8 RGB; see above."""
        _bound(tf.shape(crops)[0])
        return self._score(*self._each(self._prepare_crop, crops[:MAX_FACES]))

    def score_frames(self, image_bytes, boxes):
        """Scores the faces of whole frames.

        Args:
            image_bytes: `(B,)` of JPEG or PNG bytes.
            boxes: `(B, N, 4)` float32 x0, y0, x1, y1 in pixels; unused rows -1.

        Returns:
            As for crops, each `(B, N)`; the thresholds of these verdicts, `real_to`
            and `fake_from`, `(B, N)` float32; and for whoever averages scores over a
            video those of its mean, `video_real_to` and `video_fake_from`, likewise.
            `calibration` `(B,)` string is JSON that has the thresholds of means over
            fewer pictures, and of several faces.
        """
        tf.debugging.assert_equal(
            tf.shape(image_bytes)[0],
            tf.shape(boxes)[0],
            "Expected as many images as rows of boxes.",
        )
        _bound(tf.shape(boxes)[1], MAX_BOXES, "boxes of a frame")
        _bound(tf.reduce_prod(tf.shape(boxes, tf.int64)[:2]))
        # What is too much is not worked on either: no order holds the graph back.
        boxes = boxes[:, :MAX_BOXES]
        most = MAX_FACES // tf.maximum(tf.shape(boxes)[1], 1)
        image_bytes, boxes = image_bytes[:most], boxes[:most]
        frames, faces = tf.unstack(tf.shape(boxes)[:2])
        inputs, status = self._each(
            self._prepare_frame, image_bytes, boxes, lead=(faces,)
        )
        inputs = [tf.reshape(x, (-1, *x.shape[2:])) for x in inputs]
        answers = self._score(inputs, tf.reshape(status, (-1,)))
        answers = {n: tf.reshape(x, (frames, faces)) for n, x in answers.items()}
        calibration = self._calibration
        for prefix, level in (("", calibration.frame), ("video_", calibration.video)):
            for name in ("real_to", "fake_from"):
                threshold = tf.constant(getattr(level, name), tf.float32)
                answers[prefix + name] = tf.fill((frames, faces), threshold)
        record = tf.fill((frames,), calibration.to_json())
        return answers | {"calibration": record}

    def features(self, image_bytes):
        """Gives what the last layer sees of face crops, for search and for drift.

        Returns:
            `embedding` `(B, D)` float32; `gate` `(B, D)` float32 in (0, 1), if the
            model has one; `status`.
        """
        _bound(tf.size(image_bytes))
        inputs, status = self._prepare(image_bytes[:MAX_FACES])
        outputs = _of_usable(self._forward, inputs, status)
        del outputs["logit"]
        return outputs | {"status": status}

    def explain(self, image_bytes):
        """Gives what the logit of face crops rests on.

        Returns:
            `logit` and `score` as above; `heatmap` `(B, h, w)` float32, Grad-CAM on
            the fused map (without HCMA the last spatial one), 0 and above: where
            evidence of a fake is seen; `attention` `(B, H, H)` float32, if the model
            has FAAE: its alpha, where 1 is an even share of a row; `bands`
            `(B, C, 64)` and `blocks` `(B, h, w)` float32, if the model reads the DCT:
            each band's and each 8x8 block's contribution to the logit to first order,
            the sum of standardised coefficient times its gradient; `status`.

        Reference:
            Selvaraju et al., 2017, arXiv:1610.02391.
        """
        _bound(tf.size(image_bytes))
        inputs, status = self._prepare(image_bytes[:MAX_FACES])
        outputs = _of_usable(self._explained, inputs, status, _EXPLAINED_AT_ONCE)
        score = self._calibrated(outputs["logit"])
        return outputs | {"score": score, "status": status}

    def _named(self, inputs):
        return dict(zip(self._preprocess.specs, inputs, strict=True))

    def _run(self, *inputs):
        views = self._views(self._named(inputs), training=False)
        shown = {n: views[n] for n in ("logit", "embedding", "gate") if n in views}
        shown["logit"] = shown["logit"][:, 0]
        return {name: tf.cast(value, tf.float32) for name, value in shown.items()}

    def _run_with_gradient(self, *inputs):
        named = self._named(inputs)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(named["image"])
            views = self._views(named, training=False)
        sources = {name: views[name] for name in ("map", "bands") if name in views}
        gradient = tape.gradient(views["map_logit"], sources)
        weights = tf.reduce_mean(gradient["map"], axis=(1, 2), keepdims=True)
        heatmap = tf.nn.relu(tf.reduce_sum(weights * views["map"], axis=-1))
        outputs = {"logit": views["logit"][:, 0], "heatmap": heatmap}
        if "attention" in views:
            outputs["attention"] = views["attention"]
        if "bands" in sources:
            contribution = views["bands"] * gradient["bands"]
            outputs["bands"] = tf.reduce_sum(contribution, axis=(1, 2))
            outputs["blocks"] = tf.reduce_sum(contribution, axis=(3, 4))
        return {name: tf.cast(value, tf.float32) for name, value in outputs.items()}

    def _score(self, inputs, status):
        logit = _of_usable(self._forward, inputs, status)["logit"]
        score = self._calibrated(logit)
        verdict = tf.fill(tf.shape(score), "uncertain")
        if self._calibration.calibrated:
            level = self._calibration.frame
            verdict = tf.where(score <= level.real_to, "real", verdict)
            verdict = tf.where(score >= level.fake_from, "fake", verdict)
        return {
            "logit": logit,
            "score": score,
            "verdict": tf.where(tf.equal(status, ""), verdict, ""),
            "status": status,
        }

    def _calibrated(self, logit):
        return tf.sigmoid(self._calibration.slope * logit + self._calibration.bias)

    def _from_encoded(self, image_bytes):
        return self._each(self._prepare_encoded, image_bytes)

    def _prepare_encoded(self, encoded):
        image, problem = decode_bounded(encoded)
        return self._prepare_crop(image, problem)

    def _prepare_crop(self, image, problem=""):
        shape = tf.shape(image)
        return self._prepare_face(
            image, [0, 0, shape[1], shape[0]], tf.constant(1.0), problem
        )

    def _prepare_frame(self, encoded, boxes):
        image, problem = decode_bounded(encoded)
        margin = tf.constant(self._config.data.margin)

        height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))

        def prepare(box):
            x0, y0, x1, y1 = tf.unstack(box)
            used = tf.reduce_all(tf.math.is_finite(box)) & (x1 > x0) & (y1 > y0)
            inside = (x1 > 0) & (y1 > 0) & (x0 < width) & (y0 < height)
            status = tf.where(used, tf.where(inside, "", OUTSIDE), UNUSED)
            status = tf.where(tf.equal(problem, ""), status, problem)
            return self._prepare_face(image, box, margin, status)

        signature = (*self._specs, tf.TensorSpec((), tf.string))
        return tf.map_fn(
            prepare, boxes, fn_output_signature=signature, parallel_iterations=1
        )

    def _prepare_face(self, image, box, margin, problem):
        """Cuts a face out and turns it into the model's inputs, unless it is unfit."""
        edge = tf.cast(1 << 20, tf.float32)
        box = tf.clip_by_value(tf.cast(box, tf.float32), -edge, edge)
        crop = self._preprocess.crop(image, box, margin)
        side = tf.shape(crop)[0]
        unfit = tf.where(side < MIN_SIDE, TOO_SMALL, "")
        unfit = tf.where(side > MAX_SIDE, CROP_TOO_LARGE, unfit)
        problem = tf.where(tf.equal(problem, ""), unfit, problem)

        inputs = tf.cond(
            tf.equal(problem, ""),
            lambda: self._preprocess.inputs(crop),
            self._preprocess.nothing,
        )
        return *inputs.values(), problem

    def _each(self, prepare, *items, lead=()):
        """Prepares each item of a batch on its own: one may fail, the others do not.

        Args:
            prepare: From one item's tensors to the model's inputs and a status.
            *items: Tensors whose first axis is the batch.
            lead: Shape of the faces of one item.

        Returns:
            The model's inputs and the status, in the batch's order.
        """
        count = tf.shape(items[0], tf.int64)[0]
        lost = (
            *(tf.zeros((*lead, *spec.shape), spec.dtype) for spec in self._specs),
            tf.fill(lead, DAMAGED),
        )
        prepared = tf.data.Dataset.from_tensor_slices(items).enumerate()
        prepared = prepared.map(
            lambda index, item: (index, *prepare(*item)),
            num_parallel_calls=_PARALLEL,
            deterministic=False,
        ).ignore_errors()
        # At least one element, of an empty batch too.
        spare = tf.data.Dataset.from_tensors((count, *lost))
        index, *columns = (
            prepared.concatenate(spare).batch(count + 1).get_single_element()
        )
        *inputs, status = (
            _placed(value, index, default, count + 1)[:-1]
            for value, default in zip(columns, lost, strict=True)
        )
        return inputs, status


def _bound(count, most=MAX_FACES, what="faces in a request"):
    told = f"Expected at most {most} {what}. Send several requests."
    tf.debugging.assert_less_equal(count, tf.constant(most, count.dtype), told)


def _placed(values, indices, default, count):
    """Returns `count` rows: `values` at their places, `default` elsewhere."""
    length = tf.shape(values, tf.int64)[0]
    row = tf.fill(count[None], length)
    row = tf.tensor_scatter_nd_update(row, indices[:, None], tf.range(length))
    return tf.gather(tf.concat([values, default[None]], 0), row)


def _of_usable(function, inputs, status, at_once=_AT_ONCE):
    """Calls a function with the rows whose status is empty; the others become NaN.

    Args:
        function: From the model's inputs to a dict of tensors.
        inputs: The model's inputs of all rows.
        status: `(B,)` string.
        at_once: Rows of a call; so memory is bounded, whatever the batch.
    """
    rows = tf.where(tf.equal(status, ""))[:, 0]
    used = tf.size(rows)
    # Not every operation takes an empty batch: a row of zeros stands in.
    inputs = [
        tf.cond(
            used > 0,
            lambda x=x: tf.gather(x, rows),
            lambda x=x: tf.zeros((1, *x.shape[1:]), x.dtype),
        )
        for x in inputs
    ]
    outputs = _in_pieces(function, inputs, tf.maximum(used, 1), at_once)
    count = tf.size(status, tf.int64)
    return {
        name: _placed(value[:used], rows, tf.fill(value.shape[1:], np.nan), count)
        for name, value in outputs.items()
    }


def _in_pieces(function, inputs, count, at_once):
    """Calls a traced function with some rows after others; returns the whole."""
    specs = function.get_concrete_function().structured_outputs
    pieces = -(-count // at_once)
    arrays = {
        name: tf.TensorArray(
            spec.dtype, pieces, infer_shape=False, element_shape=spec.shape
        )
        for name, spec in specs.items()
    }

    def step(piece, arrays):
        first = piece * at_once
        outputs = function(*(x[first : first + at_once] for x in inputs))
        return piece + 1, {n: a.write(piece, outputs[n]) for n, a in arrays.items()}

    _, arrays = tf.while_loop(
        lambda piece, _: piece < pieces, step, (0, arrays), parallel_iterations=1
    )
    return {n: tf.ensure_shape(a.concat(), specs[n].shape) for n, a in arrays.items()}
