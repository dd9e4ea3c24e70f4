"""Which layer a node of a converted graph comes from."""

import re


def layers_of(node: str) -> set[str]:
    """Returns the layers in a node's path, without what Keras numbers them by.

    Example:
        >>> sorted(layers_of("sfcl_hcmf_1/hcma_1/gate_1/MatMul"))
        ['MatMul', 'gate', 'hcma', 'sfcl_hcmf']
    """
    return {re.sub(r"_\d+$", "", part) for part in node.split("/")}
