import pytest

from sfcl_tf.faces.face import inside, overlap


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert inside((-3, 5, 99, 12), 10, 20) == (0, 5, 20, 10)
