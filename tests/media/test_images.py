"""Still images as phones, scanners and laboratories write them."""

import io
import struct

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from sfcl_tf.media.footage import open_footage
from sfcl_tf.system.errors import DataError

TILE = (384, 512)  # height and width


def box(kind, *parts, version=None, flags=0):
    """A box of an ISO base media file; a full one if a version is given."""
    head = b"" if version is None else struct.pack(">I", version << 24 | flags)
    body = head + b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def find_box(data, kind):
    """Returns the content of the first box of a kind."""
    start = data.index(kind)
    (size,) = struct.unpack(">I", data[start - 4 : start])
    return data[start + 4 : start - 4 + size]


def heic_of_tiles(tiles):
    """A HEIC of 2x2 HEVC tiles, as phones write it (ISO/IEC 23008-12, 6.6.2.3)."""
    configurations, images = [], []
    for tile in tiles:
        stream = io.BytesIO()
        pillow_heif.from_pillow(Image.fromarray(tile)).save(stream, quality=90)
        configurations.append(find_box(stream.getvalue(), b"hvcC"))
        images.append(find_box(stream.getvalue(), b"mdat"))
    height, width = TILE
    grid, items = 5, range(1, 5)
    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")

    def entry(number, kind):
        return box(b"infe", struct.pack(">HH", number, 0), kind, b"\0", version=2)

    def size(height, width):
        return box(b"ispe", struct.pack(">II", width, height), version=0)

    def meta(start):
        offsets = np.cumsum([start, *map(len, images)])[:-1]
        places = [
            struct.pack(">HHHHII", i, 0, 0, 1, offset, len(image))
            for i, offset, image in zip(items, offsets, images, strict=True)
        ]
        places.append(struct.pack(">HHHHII", grid, 1, 0, 1, 0, 8))
        properties = [box(b"hvcC", each) for each in configurations]
        properties += [size(height, width), size(2 * height, 2 * width)]
        of_items = [struct.pack(">HBBB", i, 2, 0x80 | i, 5) for i in items]
        of_items.append(struct.pack(">HBB", grid, 1, 6))
        return box(
            b"meta",
            box(b"hdlr", bytes(4), b"pict", bytes(13), version=0),
            box(b"pitm", struct.pack(">H", grid), version=0),
            box(
                b"iinf",
                struct.pack(">H", 5),
                *[entry(i, b"hvc1") for i in items],
                entry(grid, b"grid"),
                version=0,
            ),
            box(
                b"iref",
                box(b"dimg", struct.pack(">HH4H", grid, 4, *items)),
                version=0,
            ),
            box(
                b"iprp",
                box(b"ipco", *properties),
                box(b"ipma", struct.pack(">I", 5), *of_items, version=0),
            ),
            box(b"idat", struct.pack(">BBBBHH", 0, 0, 1, 1, 2 * width, 2 * height)),
            box(b"iloc", struct.pack(">BBH", 0x44, 0, 5), *places, version=1),
            version=0,
        )

    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", *images)


def pixels(path):
    footage = open_footage(path)
    return footage.facts, next(footage.pictures()).rgb()


def test_a_heic_of_tiles_is_read_whole(tmp_path):
    shades = (40, 90, 140, 190)
    tiles = [np.full((*TILE, 3), shade, np.uint8) for shade in shades]
    (tmp_path / "phone.heic").write_bytes(heic_of_tiles(tiles))
    facts, rgb = pixels(tmp_path / "phone.heic")
    assert (facts.width, facts.height) == (1024, 768)
    corners = [rgb[y, x].mean() for y in (9, -9) for x in (9, -9)]
    np.testing.assert_allclose(corners, shades, atol=3)


@pytest.mark.parametrize("ending", ["heic", "avif"])
def test_modern_kinds_are_read_as_they_are(tmp_path, astronaut, ending):
    path = tmp_path / f"face.{ending}"
    Image.fromarray(astronaut).save(path, quality=95)
    facts, rgb = pixels(path)
    assert rgb.shape == astronaut.shape
    assert np.abs(rgb.astype(int) - astronaut).mean() < 4
    assert facts.pixel_format == {"heic": "heif-rgb", "avif": "avif-rgb"}[ending]


def test_floating_point_is_read_where_one_is_white(tmp_path, astronaut):
    grey = cv2.cvtColor(astronaut, cv2.COLOR_RGB2GRAY)
    Image.fromarray(grey.astype(np.float32) / 255).save(tmp_path / "unit.tiff")
    _, rgb = pixels(tmp_path / "unit.tiff")
    np.testing.assert_array_equal(rgb, np.repeat(grey[..., None], 3, axis=-1))


@pytest.mark.parametrize("scale", [100.0, np.nan, -1.0])
def test_floating_point_of_another_white_is_refused(tmp_path, astronaut, scale):
    grey = astronaut[..., 0].astype(np.float32) / 255 * np.float32(scale)
    Image.fromarray(grey).save(tmp_path / "other.tiff")
    with pytest.raises(DataError, match="save it with 8 or 16 bits"):
        open_footage(tmp_path / "other.tiff")


def test_twelve_bits_are_not_taken_for_sixteen(tmp_path):
    path = tmp_path / "deep.tiff"
    path.write_bytes(tiff_of_12_bits(np.array([[0, 1000], [2000, 4095]])))
    _, rgb = pixels(path)
    assert rgb[..., 0].tolist() == [[0, 62], [124, 255]]


def tiff_of_12_bits(values):
    """An uncompressed greyscale TIFF of two samples in three bytes."""
    height, width = values.shape
    packed = b"".join(
        bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255])
        for a, b in values.reshape(-1, 2).tolist()
    )
    tags = [
        (256, width),
        (257, height),
        (258, 12),  # bits per sample
        (259, 1),  # not compressed
        (262, 1),  # black is zero
        (273, 8),  # where the strip begins
        (277, 1),
        (278, height),
        (279, len(packed)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(packed))
    return head + packed + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_a_jpeg_that_goes_over_its_picture_again_and_again_is_refused(tmp_path):
    image = np.zeros((64, 64, 3), np.uint8)
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    (tmp_path / "good.jpg").write_bytes(data)
    assert next(iter(open_footage(tmp_path / "good.jpg").pictures())).size == (64, 64)
    last = data[data.rindex(b"\xff\xda") : -2]
    (tmp_path / "bad.jpg").write_bytes(data[:-2] + last * 200 + data[-2:])
    with pytest.raises(DataError, match="at most 100 scans"):
        open_footage(tmp_path / "bad.jpg")
