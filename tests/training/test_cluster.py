import socket
import threading
import time

import pytest

from sfcl_tf.system.errors import UsageError
from sfcl_tf.training.cluster import Cluster, read_cluster

TWO = '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}'


def free_ports(count):
    with socket.socket() as one, socket.socket() as two:
        sockets = (one, two)[:count]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def test_without_tf_config_one_worker_is_its_own_chief(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert len(read_cluster()) == 1
    assert read_cluster().is_chief


def test_a_chief_comes_before_the_workers():
    cluster = read_cluster(TWO)
    assert (cluster.workers, cluster.index) == (("a:1", "b:2"), 1)
    cluster = read_cluster(
        '{"cluster": {"chief": ["c:0"], "worker": ["a:1"]}, '
        '"task": {"type": "worker", "index": 0}}'
    )
    assert (cluster.workers, cluster.index) == (("c:0", "a:1"), 1)
    assert not cluster.is_chief


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        TWO.replace("1}", "2}"),
        TWO.replace("b:2", "b"),
        TWO.replace('"type": "worker"', '"type": "ps"'),
        TWO.replace('"cluster": {', '"cluster": {"ps": ["p:1"], '),
    ],
)
def test_what_tensorflow_would_not_take_is_told(text):
    with pytest.raises(UsageError, match="Expected TF_CONFIG such as"):
        read_cluster(text)


def test_workers_wait_for_each_other():
    ports = free_ports(2)
    workers = tuple(f"127.0.0.1:{port}" for port in ports)
    met = []

    def work(index):
        Cluster(workers, index).gather(10)
        # The other may still look for us: TensorFlow would listen here from now on.
        with socket.create_server(("127.0.0.1", ports[index])):
            met.append(index)
            deadline = time.monotonic() + 10
            while len(met) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)

    both = [threading.Thread(target=work, args=(index,)) for index in (0, 1)]
    both[0].start()
    time.sleep(0.1)
    assert not met
    both[1].start()
    for thread in both:
        thread.join()
    assert sorted(met) == [0, 1]


def test_a_worker_that_does_not_come_is_named():
    workers = tuple(f"127.0.0.1:{port}" for port in free_ports(2))
    with pytest.raises(UsageError, match=f"worker 1 of TF_CONFIG at {workers[1]}"):
        Cluster(workers).gather(0.3)


def test_an_address_in_use_is_told():
    with socket.create_server(("", 0)) as taken:
        workers = (f"127.0.0.1:{taken.getsockname()[1]}", "127.0.0.1:1")
        with pytest.raises(UsageError, match="Is it in use"):
            Cluster(workers).gather(0.3)
