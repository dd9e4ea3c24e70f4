"""A SavedModel's graph without what nobody needs of it."""

import itertools
from pathlib import Path

from tensorflow.core.protobuf import config_pb2, saved_model_pb2


def simplify(path: Path) -> None:
    """Leaves out of a graph what costs whoever loads it time and memory.

    - Names of gradients of Python's own. Nobody trains an export, and `explain` has
      its gradients in the graph. Saved with them, the graph is larger, and a process
      that loads it keeps it for ever; with their names alone, Python's loader warns.
    - The optimiser's settings of each call of a function in another, which are those
      of the exporting process: a function that is not inlined would be optimised anew
      at its first call, for seconds, to no gain.
    - Nodes that no output needs: the gradients of weights beside those of maps.

    Args:
        path: The SavedModel's directory; its graph is written anew.
    """
    plain = config_pb2.ConfigProto()
    plain.graph_options.rewrite_options.disable_meta_optimizer = True
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for graph in saved.meta_graphs:
        functions = graph.graph_def.library.function
        for function in functions:
            _prune(function)
        nodes = (function.node_def for function in functions)
        for node in itertools.chain(graph.graph_def.node, *nodes):
            node.attr.pop("_gradient_op_type", None)
            if "config_proto" in node.attr:
                node.attr["config_proto"].s = plain.SerializeToString()
    file.write_bytes(saved.SerializeToString(deterministic=True))
    # It tells the checksum of the file as it was; loaders do without.
    (path / "fingerprint.pb").unlink(missing_ok=True)


def _prune(function):
    """Removes the nodes of a FunctionDef that neither output nor effect needs."""
    nodes = {node.name: node for node in function.node_def}
    # "name:output:index", or "^name"; arguments are no nodes.
    waiting = [*function.ret.values(), *function.control_ret.values()]
    needed = set()
    while waiting:
        name = waiting.pop().lstrip("^").split(":")[0]
        if name in nodes and name not in needed:
            needed.add(name)
            waiting.extend(nodes[name].input)
    kept = [node for node in function.node_def if node.name in needed]
    del function.node_def[:]
    function.node_def.extend(kept)
