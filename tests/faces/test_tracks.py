import cv2
import numpy as np
import pytest

from sfcl_tf.faces.face import overlap
from sfcl_tf.faces.hog import HogFinder
from sfcl_tf.faces.tracks import FaceTracks
from sfcl_tf.media.picture import Picture


@pytest.fixture(scope="module")
def finder():
    return HogFinder()


@pytest.fixture(scope="module")
def pan():
    """Frames of 300x300 px over which the astronaut's face moves by 3 px a frame."""
    data = pytest.importorskip("skimage.data")
    return [data.astronaut()[0:300, x : x + 300].copy() for x in range(40, 130, 3)]


@pytest.fixture
def follow(finder):
    """A function that gives the face followed in the next sample, or `None`."""
    tracks = FaceTracks(finder)

    def run(image, time):
        faces = tracks(Picture(image, time=time))
        assert len(faces) <= 1
        return faces[0] if faces else None

    return run


def test_one_track_follows_a_moving_face(finder, follow, pan):
    faces = [follow(image, index / 25) for index, image in enumerate(pan)]
    assert {face.track for face in faces} == {0}
    assert [face.detected for face in faces] == [i % 5 == 0 for i in range(len(pan))]
    for face, image in zip(faces, pan, strict=True):
        assert overlap(face.box, finder(image)[0]) > 0.6


def test_samples_far_apart_are_all_searched_by_the_detector(follow, pan):
    faces = [follow(image, index * 0.3) for index, image in enumerate(pan[:4])]
    assert all(face.detected and face.track == 0 for face in faces)


def test_face_elsewhere_starts_a_new_track(follow, pan):
    elsewhere = np.zeros((300, 900, 3), np.uint8)
    here = elsewhere.copy()
    here[:, :300], elsewhere[:, 600:] = pan[0], pan[0]
    assert follow(here, 0.0).track == 0
    assert follow(elsewhere, 10.0).track == 1


def test_track_stays_with_its_face_when_a_larger_one_comes(finder, follow, pan):
    small = np.zeros((600, 900, 3), np.uint8)
    small[:300, :300] = pan[0]
    both = small.copy()
    both[:, 300:] = cv2.resize(pan[0], (600, 600))
    follow(small, 0.0)
    face = follow(both, 10.0)
    assert face.track == 0
    assert face.box[2] <= 300
    at_first_sight = FaceTracks(finder)(Picture(both))
    assert at_first_sight[0].box[0] >= 300  # the largest


def test_blank_frame_shows_no_face_and_loses_the_track(finder, follow, pan):
    blank = np.full_like(pan[0], 127)
    assert finder(blank) == []
    assert follow(blank, 0.0) is None
    assert follow(pan[0], 0.04).track == 0
    assert follow(blank, 0.08) is None


def test_all_faces_keep_their_tracks_and_new_ones_are_seen_within_a_second(pan):
    tracks = FaceTracks(HogFinder(thorough=True), most=10)
    one = np.zeros((300, 600, 3), np.uint8)
    one[:, :300] = pan[0]
    two = one.copy()
    two[:, 300:] = pan[0][:, ::-1]
    assert [face.track for face in tracks(Picture(one, time=0.0))] == [0]
    seen = [tracks(Picture(two, time=0.2 * n)) for n in range(1, 7)]
    assert [len(faces) for faces in seen[:4]] == [1, 1, 1, 1]
    assert {face.track: face.box[0] >= 300 for face in seen[-1]} == {0: False, 1: True}
    both = tracks(
        Picture(two[:, ::-1].copy(), time=2.0)
    )  # places exchanged: these are others
    assert {face.track for face in both} <= {0, 1, 2, 3}
    gone = tracks(Picture(np.zeros_like(one), time=2.2))
    assert gone == []
    back = tracks(Picture(two, time=2.4))
    assert {face.track for face in back} <= {0, 1}


def test_change_of_frame_size_starts_anew(follow, pan):
    assert follow(pan[0], 0.0).track == 0
    assert follow(cv2.resize(pan[0], (450, 450)), 0.04).track == 1


class Counted:
    """A finder that sees nothing, and counts its looks."""

    thorough = False

    def __init__(self):
        self.full = self.quick = 0

    def __call__(self, image):
        self.full += 1
        return []

    def coarse(self, image):
        self.quick += 1
        return []

    def near(self, picture, box):
        return {}


@pytest.mark.parametrize(("patience", "full", "quick"), [(0.0, 20, 0), (2.0, 5, 20)])
def test_with_patience_full_searches_lie_apart(patience, full, quick):
    finder = Counted()
    find = FaceTracks(finder, 5, patience)
    for step in range(20):
        grey = np.full((64, 64, 3), 99, np.uint8)
        assert find(Picture(grey, step, step / 2)) == []
    assert (finder.full, finder.quick) == (full, quick)
