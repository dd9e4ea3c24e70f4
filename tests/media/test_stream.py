"""Streams made ahead: in order, bounded, and ended when nobody waits."""

import os
import threading
import time

import pytest

from sfcl_tf.media.stream import StalledError, StreamProcess, prefetch
from sfcl_tf.system.errors import DataError


def warm_up():
    pass


def counting(count, beat):
    for number in range(count):
        beat()
        yield number, os.getpid()


def failing(beat):
    yield 1
    raise DataError("Expected bread. Received: a stone.")


def dying(beat):
    yield 1
    os._exit(11)


def hanging(beat):
    yield 1
    time.sleep(600)
    yield 2


def slow(beat):
    for _ in range(8):
        time.sleep(0.2)
        beat()
    yield "done"


@pytest.fixture
def beside():
    stream = StreamProcess(warm_up)
    yield stream
    stream.close()


def test_a_process_is_kept_for_the_next_stream(beside):
    first = list(beside(counting, 3, timeout=60))
    second = list(beside(counting, 2, timeout=60))
    assert [number for number, _ in first] == [0, 1, 2]
    (process,) = {pid for _, pid in first + second}
    assert process != os.getpid()


def test_one_that_dies_hangs_or_raises_costs_itself_alone(beside):
    for generator, error, told in (
        (failing, DataError, "a stone"),
        (dying, StalledError, "exit code 11"),
        (hanging, StalledError, "given up"),
    ):
        stream = beside(generator, timeout=1 if generator is hanging else 60)
        assert next(stream) == 1
        with pytest.raises(error, match=told):
            next(stream)
        assert len(list(beside(counting, 2, timeout=60))) == 2


def test_a_stream_that_is_getting_on_may_take_its_time(beside):
    list(beside(counting, 1, timeout=60))
    assert list(beside(slow, timeout=0.6)) == ["done"]


def test_a_stream_that_is_left_gives_its_place_to_the_next(beside):
    stream = prefetch(beside(counting, 10**9, timeout=60), 2, cancel=beside.abandon)
    assert next(stream)[0] == 0
    stream.close()
    assert [number for number, _ in beside(counting, 2, timeout=60)] == [0, 1]


def test_items_are_made_at_most_so_many_ahead():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    stream = prefetch(items(), 3)
    assert next(stream) == 0
    time.sleep(0.3)
    assert len(made) <= 6
    assert list(stream) == list(range(1, 100))


def test_an_error_comes_in_its_place_and_the_thread_ends():
    before = threading.active_count()
    stream = prefetch(failing(warm_up), 8)
    assert next(stream) == 1
    with pytest.raises(DataError, match="a stone"):
        next(stream)
    stream = prefetch(iter(range(10**9)), 2)
    next(stream)
    stream.close()
    assert threading.active_count() == before
