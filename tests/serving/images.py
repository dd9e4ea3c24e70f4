"""Images as clients send them, and some that no server may decode."""

import struct
import zlib

import cv2
import numpy as np


def png(image) -> bytes:
    """Encodes RGB as PNG."""
    return cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


def jpeg(image) -> bytes:
    """Encodes RGB as JPEG."""
    return cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]))[1].tobytes()


def png_bomb(side=30000) -> bytes:
    """A PNG of a few MB at most that decodes to gigabytes."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(3 * side + 1)
    rows = b"".join(packer.compress(row) for _ in range(min(side, 2000)))
    rows += packer.flush()
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_bomb() -> bytes:
    """A JPEG whose header promises 60000x60000 pixels."""
    image = bytearray(jpeg(np.zeros((64, 64, 3), "uint8")))
    place = image.index(b"\xff\xc0") + 5
    image[place : place + 4] = struct.pack(">HH", 60000, 60000)
    return bytes(image)


def jpeg_of_many_scans(count=200) -> bytes:
    """A progressive JPEG that goes over its picture again and again."""
    image = np.zeros((64, 64, 3), "uint8")
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + data[-2:]


BAD_IMAGES = {
    "empty": (b"", "JPEG or PNG"),
    "text": (b"no image", "JPEG or PNG"),
    "gif": (b"GIF89a" + bytes(40), "JPEG or PNG"),
    "magic alone": (b"\x89PNG\r\n\x1a\n", "decodes"),
    "jpeg magic alone": (b"\xff\xd8\xff", "decodes"),
    "png bomb": (png_bomb(), "at most 16777216 pixels"),
    "jpeg bomb": (jpeg_bomb(), "at most 16777216 pixels"),
    "jpeg of many scans": (jpeg_of_many_scans(), "at most 100 scans"),
    "too small": (png(np.zeros((24, 40, 3), "uint8")), "at least 32x32"),
    "too large": (png(np.zeros((2312, 2312, 3), "uint8")), "at most 2304x2304"),
}
"""Name to bytes, and what their status says."""
