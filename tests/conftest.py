"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real sample media; they are not part of the project."""
    folder = os.environ.get("SFCL_TEST_MEDIA")
    if not folder:
        pytest.skip("SFCL_TEST_MEDIA is unset: no real media to test on")
    return Path(folder)


@pytest.fixture(scope="session")
def face_crops(media):
    """20 crops of FaceForensics++: `(images, labels)`, uint8 RGB and 1 = fake."""
    import cv2

    paths = sorted((media / "faces_ff").glob("*/*/*.png"))
    images = [cv2.imread(str(path))[..., ::-1].copy() for path in paths]
    labels = [int(path.parts[-3] != "real") for path in paths]
    return images, labels
