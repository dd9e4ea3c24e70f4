import os
import subprocess
import sys

import numpy as np
import pytest

from sfcl_tf.faces import sampling
from sfcl_tf.faces.face import Face
from sfcl_tf.faces.sampling import SamplingOptions, sample_faces
from sfcl_tf.media.footage import Footage, array_footage, local_path, open_footage
from sfcl_tf.media.picture import Picture
from sfcl_tf.system.errors import DataError, UsageError


def footage(times):
    """Pictures of one pixel at given times."""
    pixel = np.zeros((1, 1, 3), np.uint8)
    pictures = [Picture(pixel, index, time) for index, time in enumerate(times)]
    return Footage(None, np.arange(len(times)), lambda: iter(pictures))


def indices(times, **rate):
    samples = sample_faces(footage(times), faces="full", **rate)
    return [sample.picture.index for sample in samples]


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
        list(sample_faces(footage([0.0]), **rate))


@pytest.fixture
def faces_at(monkeypatch):
    """A function that has faces of 60 pixels found on some frames alone."""

    def place(*indices, side=60):
        box = (0, 0, side, side)
        monkeypatch.setattr(
            sampling,
            "FaceTracks",
            lambda *_: lambda p: [Face(box, 0, True)] * (p.index in indices),
        )

    return place


def large_footage(count):
    pixels = np.zeros((100, 100, 3), np.uint8)
    pictures = [Picture(pixels, index, index / 25) for index in range(count)]
    return Footage(None, np.arange(count), lambda: iter(pictures))


def taken(**options):
    samples = sample_faces(large_footage(10), frames=2, **options)
    return [(s.frame, s.picture.index, len(s.faces)) for s in samples]


def test_neighbours_are_tried_where_a_frame_shows_no_face(faces_at):
    faces_at(4, 7)
    assert taken() == [(2, 2, 0), (7, 7, 1)]
    assert taken(neighbours=1) == [(2, 3, 0), (7, 7, 1)]
    assert taken(neighbours=2) == [(2, 4, 1), (7, 7, 1)]
    faces_at(6, 9)
    assert taken(neighbours=8) == [(2, 6, 1), (7, 9, 1)]
    faces_at(7)
    assert taken(neighbours=8) == [(2, 6, 0), (7, 7, 1)]


def test_a_face_too_small_is_none_to_stay_at(faces_at):
    faces_at(2, 7, side=45)
    assert taken(neighbours=1) == [(2, 3, 0), (7, 8, 0)]


def test_given_boxes_choose_the_frames():
    box = (10, 10, 70, 70)
    frames = {1: [box], 5: [box], 6: [box, (0, 0, 99, 99)], 30: [box]}
    assert taken(boxes=frames) == [(1, 1, 1), (6, 6, 2)]
    assert taken(boxes=frames, faces="largest") == [(1, 1, 1), (6, 6, 1)]
    assert taken(boxes={}) == []


def test_every_decoded_picture_is_told_until_the_last_sample():
    seen = []
    list(
        sample_faces(
            large_footage(10),
            frames=2,
            faces="full",
            on_picture=lambda picture: seen.append(picture.index),
        )
    )
    assert seen == list(range(8))


def test_a_short_clip_gives_eight_pictures(write_clip, noise, tmp_path):
    footage = open_footage(write_clip(tmp_path / "a.mp4", noise))
    assert len(list(SamplingOptions().samples(footage))) == 8
    assert len(list(SamplingOptions(frames=3).samples(footage))) == 3
    assert len(list(SamplingOptions(fps=5).samples(footage))) == 6


def test_what_is_no_file_or_empty_is_told_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.mp4").write_text("no video")
    for name, told in (
        ("absent.mp4", "nothing at"),
        ("pipe.mp4", "no file at"),
        ("folder.png", "no file at"),
        ("empty.jpg", "empty"),
        ("text.mp4", "readable video"),
    ):
        with pytest.raises(DataError, match=told) as caught:
            open_footage(tmp_path / name)
        assert name in str(caught.value)


def test_arrays_and_paths_are_what_they_should_be(tmp_path):
    picture = np.zeros((20, 30, 3), np.uint8)
    facts = array_footage(picture).facts
    assert (facts.frames, facts.height, facts.width) == (1, 20, 30)
    for wrong in (picture[..., 0], picture.astype(float), picture[:0]):
        with pytest.raises(UsageError, match="uint8 RGB array"):
            array_footage(wrong)
    assert local_path(str(tmp_path)) == local_path(tmp_path) == tmp_path
    for wrong in (None, b"a.png", "http://127.0.0.1/a.mp4"):
        with pytest.raises(UsageError, match="on this machine"):
            local_path(wrong)


def test_sampling_imports_no_tensorflow():
    program = (
        "import sys, sfcl_tf.faces.sampling, sfcl_tf.detect.samples;"
        "assert not {'keras', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
