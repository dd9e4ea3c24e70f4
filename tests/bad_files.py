"""Files of every damaged, partial and strange kind."""

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image


def damaged_videos(folder, write_clip, noise, astronaut):
    """Writes good and bad videos; returns what becomes of each, by name."""
    clip = np.repeat(astronaut[None], 8, axis=0)
    write_clip(folder / "good.mp4", clip)
    whole = (folder / "good.mp4").read_bytes()
    (folder / "zero.mp4").touch()
    (folder / "text.mp4").write_text("no video " * 1000)
    (folder / "half.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "head.mp4").write_bytes(whole[:100])
    write_clip(folder / "one frame.mp4", clip[:1])
    write_clip(folder / "no face.mp4", noise)
    write_clip(folder / "Ünïcødé 名前 (1).mp4", clip)
    (folder / "link.mp4").symlink_to(folder / "link.mp4")
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    return {
        "good.mp4": "ok",
        "zero.mp4": "unreadable",
        "text.mp4": "unreadable",
        "half.mp4": "unreadable",
        "head.mp4": "unreadable",
        "one frame.mp4": "ok",
        "no face.mp4": "no_face",
        "Ünïcødé 名前 (1).mp4": "ok",
        "link.mp4": "unreadable",
        "sound.mp4": "unreadable",
    }


def images(folder, astronaut):
    """Writes the face in many kinds of image; returns the names."""
    picture = Image.fromarray(astronaut)
    grey = np.asarray(picture.convert("L"))
    picture.save(folder / "rgb.png")
    picture.convert("L").save(folder / "grey.jpg")
    picture.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    picture.quantize(256).save(folder / "palette.png")
    cv2.imwrite(str(folder / "grey16.png"), grey.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "rgb16.png"), astronaut[..., ::-1].astype("uint16") * 257)
    cv2.imwrite(str(folder / "grey16.tiff"), grey.astype(np.uint16) * 257)
    picture.convert("RGBA").save(folder / "alpha.webp", lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    picture.rotate(90).save(folder / "turned.jpg", exif=exif, quality=95)
    return sorted(path.name for path in folder.iterdir())


def mutated(data, rng):
    """Returns a copy with bytes changed, or a stretch cut out, doubled or blanked."""
    data = bytearray(data)
    kind = rng.integers(5)
    start = int(rng.integers(len(data)))
    length = int(rng.integers(1, max(len(data) // 4, 2)))
    if kind == 0:
        for place in rng.integers(0, len(data), rng.integers(1, 50)):
            data[place] = rng.integers(256)
    elif kind == 1:
        del data[start : start + length]
    elif kind == 2:
        data[start:start] = data[start : start + length]
    elif kind == 3:
        data[start : start + length] = bytes(len(data[start : start + length]))
    else:  # in the headers, where sizes and counts stand
        for place in rng.integers(0, min(len(data), 256), rng.integers(1, 12)):
            data[place] = rng.integers(256)
    return bytes(data)


def originals(folder, write_clip):
    """Returns good files: real ones where they are at hand and many are wanted."""
    media = os.environ.get("SFCL_TEST_MEDIA")
    if media and "SFCL_FUZZ" in os.environ:
        crops = sorted(Path(media).glob("faces_ff/*/*/*.png"))[:3]
        photographs = sorted(Path(media).glob("faces_boxes/*.jpg"))[:2]
        videos = [Path(media) / "ff/original_sequences/youtube/c23/videos/519.mp4"]
        return [*videos * 3, *crops, *photographs]
    face = pytest.importorskip("skimage.data").astronaut()[:256, 90:346]
    clip = write_clip(folder / "a.mp4", np.repeat(face[None], 6, axis=0))
    for name in ("a.png", "a.jpg"):
        cv2.imwrite(str(folder / name), face[..., ::-1])
    return [clip, folder / "a.png", folder / "a.jpg"]
