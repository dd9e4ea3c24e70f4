"""Face finders on dlib's photographs, against their true boxes.

    SFCL_TEST_MEDIA=DIR python benchmarks/faces.py

needs dlib's example faces and their XML in `DIR/faces_boxes`.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import cv2
import dlib

from sfcl_tf.faces.face import overlap
from sfcl_tf.faces.hog import HogFinder

SAME = 0.5


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


def plain_hog(image):
    """Finds faces as dlib's examples do, in the picture enlarged once."""
    found = plain_hog.detector(image, 1)
    return [(b.left(), b.top(), b.right() + 1, b.bottom() + 1) for b in found]


def main():
    """Prints recall and precision, and returns the exit code."""
    media = os.environ.get("SFCL_TEST_MEDIA")
    if not media:
        print("Faces: skipped, for SFCL_TEST_MEDIA names no photographs.")
        return 0
    plain_hog.detector = dlib.get_frontal_face_detector()
    finders = {
        "HOG, upsampled": plain_hog,
        "for the largest face": HogFinder(),
        "for all faces": HogFinder(thorough=True),
    }
    data = [*photographs(Path(media) / "faces_boxes")]
    count = sum(len(true) for _, true in data)
    print(f"\nFaces found in {len(data)} photographs with {count} faces")
    figures = []
    for name, find in finders.items():
        hits = found = right = 0
        for image, true in data:
            mine = find(image)
            hits += sum(any(overlap(t, m) >= SAME for m in mine) for t in true)
            right += sum(any(overlap(t, m) >= SAME for t in true) for m in mine)
            found += len(mine)
        figures.append((hits / count, right / found))
        print(f"  {name:<22} recall {hits / count:.3f}  precision {right / found:.3f}")
    holds = all(
        a >= b for pair in figures[1:] for a, b in zip(pair, figures[0], strict=True)
    )
    print(f"  Claim: no worse than HOG, {'holds' if holds else 'DOES NOT HOLD'}")
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
