"""Clusters on this machine."""

import pytest


@pytest.fixture
def two_workers(free_addresses):
    """`TF_CONFIG` of two workers on free ports of this machine."""
    cluster = {"worker": free_addresses}
    return [
        {"cluster": cluster, "task": {"type": "worker", "index": index}}
        for index in (0, 1)
    ]
