"""Whether a SavedModel does more than compute, told before it is loaded.

A SavedModel is a program of TensorFlow's operations, some of which read and write
files. What TensorFlow runs of it, at loading or later, is in `saved_model.pb`: the main
graph and the functions that it and the objects call. So each operation of each of them
must be known to compute alone, wherever it stands. Python is not among them: objects
are revived as classes of TensorFlow's own.

The exception is the graph's own way to save and restore its variables. It stays
allowed where nothing but that leads to it: no signature, initialiser or object.

Whoever can change the file between the check and loading it goes round the check.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tensorflow.core.protobuf import saved_model_pb2

from sfcl_tf.serving.known_ops import KNOWN_OPS, RESTORING, SAVING
from sfcl_tf.system.errors import ModelError
from sfcl_tf.system.plain_text import in_a_line

_MOST = 256 << 20
"""Bytes of a graph; that of the largest model here has 8 MB."""

_SHOWN = 5


class _Refused(Exception):
    """What a graph holds that it should not."""


def read_savedmodel(path: Path, *, trust: bool = False) -> saved_model_pb2.SavedModel:
    """Reads a SavedModel's graph, and refuses one that may do more than compute.

    How long it computes and how much memory it takes is not looked at.

    Args:
        path: The version's folder.
        trust: Whether it is taken as it is.

    Returns:
        The content of `saved_model.pb`.

    Raises:
        ModelError: If it is damaged; or, without `trust`, if it has operations that
            are not known, named with the functions that they stand in.
    """
    file = path / "saved_model.pb"
    try:
        if not trust and file.stat().st_size > _MOST:
            raise _Refused(f"a graph of more than {_MOST} bytes")
        saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
        if not trust:
            _check(saved)
    except _Refused as error:
        raise ModelError(
            f"Expected a SavedModel at {path} that computes and does nothing else. "
            f"Received: {error}. Such a model may read and write files of this "
            "machine. Ask whom you have it from for the run, and export it: sfcl "
            "export RUN. If you made it yourself, give --trust."
        ) from error
    except Exception as error:  # protobuf has several
        raise _damaged(path, error) from error
    return saved


def _damaged(path, error):
    return ModelError(
        f"Expected a SavedModel at {path}. Received: {in_a_line(error)} Export it "
        "anew: sfcl export RUN."
    )


def load_savedmodel(path: Path, *, trust: bool = False):
    """Loads a SavedModel that `read_savedmodel` lets pass.

    Args:
        path: The version's folder.
        trust: Whether it is taken as it is.

    Returns:
        What `tf.saved_model.load` gives.

    Raises:
        ModelError: See `read_savedmodel`; or for whatever a damaged one makes
            TensorFlow raise.
    """
    import tensorflow as tf

    read_savedmodel(path, trust=trust)
    try:
        return tf.saved_model.load(str(path))
    except Exception as error:
        raise _damaged(path, error) from error


def _check(saved):
    # Else TensorFlow loads it as one of version 1, whose graph runs itself.
    if len(saved.meta_graphs) != 1 or not saved.meta_graphs[0].HasField(
        "object_graph_def"
    ):
        raise _Refused("a graph of TensorFlow 1, or several")
    meta = saved.meta_graphs[0]
    for saved_object in meta.object_graph_def.nodes:
        # Of a class that this process knows by a name, which reads what it likes.
        if name := saved_object.registered_name or saved_object.registered_saver:
            raise _Refused(f"an object of the class {name}")
    graph = _Graph(meta.graph_def)
    if unknown := list(graph.unknown()):
        more = len(unknown) - _SHOWN
        told = ", ".join(f"{op} in {place}" for op, place in unknown[:_SHOWN])
        raise _Refused(told + (f" and {more} more" if more > 0 else ""))
    _check_saver(meta, graph)


class _Graph:
    """What calls what in a graph and its functions."""

    def __init__(self, definition):
        self.nodes = {node.name: node for node in definition.node}
        library = definition.library
        self._bodies = {f.signature.name: f.node_def for f in library.function}
        if len(self.nodes) != len(definition.node) or len(self._bodies) != len(
            library.function
        ):
            raise _Refused("two parts of one name")
        calls, self._own = {}, {}
        for name, body in self._bodies.items():
            calls[name] = {called for node in body for called in _called(node)}
            self._own[name] = {node.op for node in body} & (SAVING | RESTORING)
        for gradient in library.gradient:
            calls.setdefault(gradient.function_name, set()).add(gradient.gradient_func)
        self._calls = calls
        self.gradients = [each.gradient_func for each in library.gradient] + [
            each.gradient_func for each in library.registered_gradients
        ]
        self.direct = {name for name, own in self._own.items() if own}
        self.with_files = {name for name in self._bodies if self.files(name)}

    def unknown(self) -> Iterator[tuple[str, str]]:
        """Yields the operations that are not known, and where they stand."""
        yield from _unknown(self.nodes.values(), "the main graph", self._bodies)
        for name, body in self._bodies.items():
            yield from _unknown(body, name, self._bodies)

    def files(self, *names: str) -> set[str]:
        """Returns which of `SAVING` and `RESTORING` functions come to."""
        return set().union(*(self._own[name] for name in self.reached(*names)))

    def reached(self, *names: str) -> set[str]:
        """Returns the functions that are called by some, and these themselves."""
        waiting, reached = [*names], set()
        while waiting:
            name = waiting.pop()
            if name in self._bodies and name not in reached:
                reached.add(name)
                waiting += self._calls[name]
        return reached

    def before(self, tensors: Iterable[str]) -> set[str]:
        """Returns the nodes of the main graph that tensors are computed by."""
        waiting, found = [*tensors], set()
        while waiting:
            name = waiting.pop().lstrip("^").split(":")[0]
            if name in self.nodes and name not in found:
                found.add(name)
                waiting += self.nodes[name].input
        return found


def _unknown(nodes, place, functions):
    for node in nodes:
        if node.op not in KNOWN_OPS and node.op not in SAVING | RESTORING:
            yield node.op, place
        for name in _called(node):
            # It would be looked for among those of other models.
            if name not in functions:
                yield f"a call of {name}, which is missing,", place


def _called(node) -> Iterator[str]:
    """Yields the functions that a node's attributes name, nested ones too."""
    waiting = [*node.attr.values()]
    while waiting:
        value = waiting.pop()
        kind = value.WhichOneof("value")
        if kind not in ("func", "list", "tensor"):
            continue
        functions = [value.func] if kind == "func" else value.list.func
        for function in functions:
            yield function.name
            waiting += function.attr.values()
        for tensor in [value.tensor] if kind == "tensor" else value.list.tensor:
            # It may hold a graph of its own, or name what another model has.
            if tensor.variant_val or tensor.resource_handle_val:
                raise _Refused(f"a constant of another kind than values in {node.name}")


def _check_saver(meta, graph: _Graph):
    """Refuses a way to files other than the one that the saver goes."""
    saver = meta.saver_def
    saves = graph.before([saver.save_tensor_name])
    restores = graph.before([saver.restore_op_name])
    others = graph.before(_fetched(meta))
    allowed: set[str] = set()
    for name, node in graph.nodes.items():
        called = [*_called(node)]
        ops = graph.files(*called) | ({node.op} & (SAVING | RESTORING))
        if not ops:
            continue
        fits = (ops <= SAVING and name in saves - restores - others) or (
            ops <= RESTORING and name in restores - saves - others
        )
        if not fits:
            reached = sorted(graph.reached(*called) & graph.direct)
            raise _Refused(_beside_saver(ops, reached[0] if reached else name))
        allowed |= graph.reached(*called)
    of_objects = {*meta.object_graph_def.concrete_functions, *graph.gradients}
    for name in sorted(graph.with_files):
        if name not in allowed or name in of_objects:
            raise _Refused(_beside_saver(graph.files(name), name))


def _beside_saver(ops, place):
    return f"{', '.join(sorted(ops))} in {place}, beside the saver"


def _fetched(meta) -> Iterator[str]:
    """Yields the tensors that are asked for by whoever loads or serves a graph."""
    for signature in meta.signature_def.values():
        for infos in (signature.inputs, signature.outputs, signature.defaults):
            yield from _tensors(infos)
    for collection in meta.collection_def.values():
        yield from collection.node_list.value


def _tensors(infos: Mapping) -> Iterator[str]:
    waiting = [info for info in infos.values() if hasattr(info, "coo_sparse")]
    while waiting:
        info = waiting.pop()
        sparse = info.coo_sparse
        yield from (
            info.name,
            sparse.values_tensor_name,
            sparse.indices_tensor_name,
            sparse.dense_shape_tensor_name,
        )
        waiting += info.composite_tensor.components
