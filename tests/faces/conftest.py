import xml.etree.ElementTree as ElementTree

import cv2
import pytest

from sfcl_tf.faces.face import area


@pytest.fixture(scope="package")
def photographs(media):
    """dlib's photographs that are there: RGB image, true boxes by decreasing size."""
    found = []
    for path in sorted((media / "faces_boxes").glob("*.xml")):
        for image in ElementTree.parse(path).getroot().iter("image"):  # noqa: S314
            file = path.parent / image.get("file")
            if file.is_file():
                pixels = cv2.imread(str(file))[..., ::-1].copy()
                boxes = [true_box(box) for box in image.iter("box")]
                found.append((pixels, sorted(boxes, key=area, reverse=True)))
    return found


def true_box(element):
    left, top, width, height = (
        int(element.get(name)) for name in ("left", "top", "width", "height")
    )
    return left, top, left + width, top + height
