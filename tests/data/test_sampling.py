import numpy as np
import pytest

from sfcl_tf.data.footage import Footage
from sfcl_tf.data.picture import Picture
from sfcl_tf.data.sampling import sampled


def footage(times):
    """Pictures of one pixel at given times."""
    pixel = np.zeros((1, 1, 3), np.uint8)
    pictures = [Picture(pixel, index, time) for index, time in enumerate(times)]
    return Footage(None, np.arange(len(times)), lambda: iter(pictures))


def indices(times, **rate):
    return [picture.index for picture in sampled(footage(times), **rate)]


def test_so_many_a_second_without_drift():
    times = np.arange(30 * 60) / 29.97 + 5.0
    taken = indices(times, fps=2)
    assert len(taken) == 121
    for number, index in enumerate(taken):
        late = times[index] - times[0] - number / 2
        assert -1e-6 <= late < 1 / 29.97


def test_a_gap_is_not_made_up_for():
    times = [0.0, 0.1, 0.2, 0.3, 5.05, 5.1, 5.2, 5.3, 5.6]
    assert indices(times, fps=2) == [0, 4, 8]


def test_more_a_second_than_there_are_gives_all():
    assert indices([0.0, 0.5, 1.0], fps=100) == [0, 1, 2]


def test_pictures_without_times_are_all_taken():
    assert indices([float("nan")] * 3, fps=1) == [0, 1, 2]


def test_so_many_evenly_spaced():
    assert indices(np.arange(10) / 25, frames=5) == [1, 3, 5, 7, 9]
    assert indices(np.arange(3) / 25, frames=5) == [0, 1, 2]


@pytest.mark.parametrize("rate", [{}, {"fps": 0}, {"frames": 2, "fps": 2}, {"fps": -1}])
def test_one_positive_rate_is_wanted(rate):
    with pytest.raises(ValueError, match="either `frames` or `fps`"):
        list(sampled(footage([0.0]), **rate))
