"""Face detectors side by side: recall and precision on dlib's photographs.

    SFCL_TEST_MEDIA=DIR python benchmarks/faces.py

needs dlib's example faces and their XML in `DIR/faces_boxes`. Their true boxes are
those on which HOG was trained: upright faces that look at the camera. So each face is
also cut out at 160 px, turned in plane, and half covered with grey, and counts as found
where a box lies on it.
"""

import os
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import dlib
import numpy as np

from sfcl_tf.faces.face import MIN_FACE, best, overlap
from sfcl_tf.faces.finder import face_finder

SAME = 0.5
SIDE, CANVAS = 160, 480
ANGLES = range(0, 91, 15)
HALVES = {
    "left": np.s_[:, : SIDE // 2],
    "right": np.s_[:, SIDE // 2 :],
    "top": np.s_[: SIDE // 2],
    "bottom": np.s_[SIDE // 2 :],
}
START = (CANVAS - SIDE) // 2
FACE = START, START, START + SIDE, START + SIDE


def photographs(folder):
    """Yields each photograph that is there, RGB, and its true boxes."""
    for path in sorted(folder.glob("*.xml")):
        for image in ElementTree.parse(path).getroot().iter("image"):  # noqa: S314
            file = folder / image.get("file")
            if file.is_file():
                yield cv2.imread(str(file))[..., ::-1].copy(), boxes(image)


def boxes(image):
    """Returns an image element's boxes."""
    names = ("left", "top", "width", "height")
    edges = ([int(box.get(name)) for name in names] for box in image.iter("box"))
    return [(x, y, x + width, y + height) for x, y, width, height in edges]


def view(image, box, degrees=0, covered=None):
    """Returns one face in the middle of a picture of its own."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    turn = cv2.getRotationMatrix2D((x, y), degrees, SIDE / (box[2] - box[0]))
    turn[:, 2] += CANVAS / 2 - x, CANVAS / 2 - y
    picture = cv2.warpAffine(
        image, turn, (CANVAS, CANVAS), borderMode=cv2.BORDER_REPLICATE
    )
    if covered:
        x0, y0, x1, y1 = FACE
        picture[y0:y1, x0:x1][HALVES[covered]] = 110
    return picture


class PlainHog:
    """dlib as its examples use it, in the picture enlarged once."""

    def __init__(self):
        self._detector = dlib.get_frontal_face_detector()

    def __call__(self, image):
        """Finds faces."""
        found = self._detector(image, 1)
        return [(b.left(), b.top(), b.right() + 1, b.bottom() + 1) for b in found]


def on_photographs(find, data):
    """Returns recall, precision, that of faces of use, and seconds a photograph."""
    true = hits = 0
    right = []
    start = time.process_time()
    answers = [find(image) for image, _ in data]
    seconds = (time.process_time() - start) / len(data)
    for (_, faces), mine in zip(data, answers, strict=True):
        true += len(faces)
        hits += sum(any(overlap(t, m) >= SAME for m in mine) for t in faces)
        right += [
            (m[2] - m[0] >= MIN_FACE, any(overlap(t, m) >= SAME for t in faces))
            for m in mine
        ]
    of_use = [is_right for large, is_right in right if large]
    return hits / true, np.mean([r for _, r in right]), np.mean(of_use), seconds


def recall(find, views):
    """Returns the share of views in which the face is found."""
    return np.mean([best(find(picture), FACE) is not None for picture in views])


def main():
    """Prints recall, precision and time, and returns the exit code."""
    media = os.environ.get("SFCL_TEST_MEDIA")
    if not media:
        print("Faces: skipped, for SFCL_TEST_MEDIA names no photographs.")
        return 0
    cv2.setNumThreads(1)  # as in the processes of preparation, and as dlib has it
    finders = {
        "HOG, upsampled": PlainHog(),
        "hog": face_finder("hog"),
        "hog, thorough": face_finder("hog", thorough=True),
        "yunet": face_finder("yunet"),
        "yunet, thorough": face_finder("yunet", thorough=True),
    }
    data = [*photographs(Path(media) / "faces_boxes")]
    each = [(image, box) for image, true in data for box in true]
    print(f"\n{len(data)} photographs with {len(each)} faces: found, and CPU time")
    figures = {}
    for name, find in finders.items():
        find(data[0][0])  # what is loaded once
        figures[name] = on_photographs(find, data)
        *shares, seconds = figures[name]
        ratio = seconds / figures["HOG, upsampled"][-1]
        print(
            f"  {name:<16} recall {shares[0]:.3f}  precision {shares[1]:.3f}, from "
            f"{MIN_FACE} px {shares[2]:.3f}  {ratio:.2f}x"
        )

    agree = []
    for image, _ in data:
        mine = finders["yunet"](image)
        agree += [
            overlap(b, best(mine, b)) for b in finders["hog"](image) if best(mine, b)
        ]
    print(f"  Boxes of yunet and hog: mean IoU {np.mean(agree):.2f}")

    cases = {f"{angle}°": {"degrees": angle} for angle in ANGLES}
    cases |= {half: {"covered": half} for half in HALVES}
    print(f"\nEach face at {SIDE} px, turned in plane or half covered: recall")
    print(" " * 19 + "".join(f"{case:>7}" for case in cases))
    recalls = {name: [] for name in finders}
    for options in cases.values():
        views = [view(image, box, **options) for image, box in each]
        for name, find in finders.items():
            recalls[name].append(recall(find, views))
    for name, values in recalls.items():
        print(f"  {name:<17}" + "".join(f"{value:7.2f}" for value in values))

    plain = figures["HOG, upsampled"]
    claims = {
        "hog, as dlib's: recall and precision no worse": all(
            mine >= its
            for name in ("hog", "hog, thorough")
            for mine, its in zip(figures[name][:2], plain[:2], strict=True)
        ),
        "yunet, from 46 px: recall and precision no worse": (
            figures["yunet"][0] >= plain[0] and figures["yunet"][2] >= plain[2]
        ),
        "yunet: recall at least hog's, turned and covered": all(
            mine >= its
            for mine, its in zip(recalls["yunet"], recalls["hog"], strict=True)
        ),
        "yunet: at least 0.85 of each": min(recalls["yunet"]) >= 0.85,
        "yunet: half of hog's time or less": figures["yunet"][-1] <= plain[-1] / 2,
    }
    for claim, holds in claims.items():
        print(f"  {claim}: {'holds' if holds else 'DOES NOT HOLD'}")
    return int(not all(claims.values()))


if __name__ == "__main__":
    sys.exit(main())
