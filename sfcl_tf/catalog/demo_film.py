"""People and clips of the demo data set, all from one photograph.

A person is scikit-image's astronaut photograph (public domain) with its features
moved and its colours changed; a clip films a person. Points are (x, y) in pixels of
the photograph unless told otherwise, and warps are inverse maps: they say where to
sample.
"""

import dataclasses

import cv2
import numpy as np

from sfcl_tf.system.errors import DataError

# x, y and sigma of what a warp moves; left_ and right_ pairs move symmetrically.
_FEATURES = {
    "eye": ((202, 101, 10), (247, 103, 10)),
    "brow": ((202, 89, 9), (250, 91, 9)),
    "corner": ((204, 141, 8), (244, 141, 8)),
    "cheek": ((191, 128, 15), (257, 128, 15)),
    "jaw": ((190, 158, 17), (257, 160, 17)),
    "side": ((165, 80, 22), (290, 85, 22)),
    "nose": ((224, 122, 11),),
    "mouth": ((224, 145, 14),),
    "chin": ((222, 170, 15),),
    "crown": ((230, 30, 28),),
}
# Largest shift in x and y (pixels) and largest scaling in x and y per feature.
_VARIATION = {
    "eye": (3, 3, 0.2, 0.2),
    "brow": (2, 4, 0.1, 0.1),
    "corner": (3, 2, 0.0, 0.0),
    "cheek": (5, 3, 0.0, 0.0),
    "jaw": (6, 4, 0.0, 0.0),
    "side": (8, 8, 0.0, 0.1),
    "nose": (1, 4, 0.35, 0.25),
    "mouth": (1, 3, 0.2, 0.2),
    "chin": (1, 6, 0.2, 0.0),
    "crown": (5, 9, 0.1, 0.1),
}
SKIN = [
    *((184, 88), (190, 80), (210, 81), (240, 82), (262, 88), (267, 100), (268, 120)),
    *((272, 130), (267, 138), (262, 158), (255, 170), (254, 186), (232, 190)),
    *((205, 186), (187, 176), (183, 158), (181, 131), (176, 130), (171, 120)),
    (180, 112),
]
_HEAD = [
    *((153, 68), (158, 55), (170, 46), (190, 34), (205, 24), (232, 15), (250, 18)),
    *((275, 29), (289, 42), (296, 58), (301, 80), (299, 100), (292, 115)),
    *((280, 126), (268, 137), (224, 150), (172, 118), (156, 104)),
]
_BODY = [
    *((60, 250), (110, 205), (125, 180), (135, 160), (165, 149), (186, 149)),
    *((187, 176), (254, 186), (256, 174), (280, 190), (300, 225), (310, 235)),
    *((330, 255), (345, 280), (380, 511), (0, 511), (0, 300)),
]
_CENTRE = (224.0, 139.0)


@dataclasses.dataclass(frozen=True)
class Person:
    """A face, the same in every clip of it.

    Attributes:
        texture: `(512, 512, 3)` uint8 RGB, the photograph in the person's colours.
        shape: `(K, 7)` bumps that move the features; see `displacement`.
        mirror: Whether the person is seen as in a mirror.
        zoom: Frame sides per 400 pixels of the photograph.
    """

    texture: np.ndarray
    shape: np.ndarray
    mirror: bool
    zoom: float


@dataclasses.dataclass(frozen=True)
class Clip:
    """A filmed person; T frames of side S.

    Attributes:
        person: Who is filmed.
        poses: `(T, 2, 3)` affine maps from the frame to the photograph.
        moods: `(T, K, 7)` bumps of the expression.
        maps: `(T, S, S, 2)` float32, where each pixel samples the photograph.
        frames: `(T, S, S, 3)` uint8 RGB, noise of the sensor included.
    """

    person: Person
    poses: np.ndarray
    moods: np.ndarray
    maps: np.ndarray
    frames: np.ndarray


def photograph() -> np.ndarray:
    """Returns the photograph, `(512, 512, 3)` uint8 RGB.

    Raises:
        DataError: If scikit-image is not installed.
    """
    try:
        import skimage.data
    except ImportError as error:
        raise DataError(
            "The demo data set is made from a photograph in scikit-image, which is "
            'not installed. Run: pip install "sfcl_tf[demo]"'
        ) from error
    return skimage.data.astronaut()


def displacement(points: np.ndarray, bumps: np.ndarray) -> np.ndarray:
    """Returns the sum of Gaussian bumps, each a local shift and scaling.

    Args:
        points: `(..., 2)` points.
        bumps: `(K, 7)` rows `x, y, sigma, shift x, shift y, scale x, scale y`.

    Returns:
        `(..., 2)` float32 displacements of the points.
    """
    # One bump at a time and x apart from y: several times faster than broadcasting.
    x, y = points[..., 0], points[..., 1]
    total_x, total_y = np.zeros_like(x), np.zeros_like(y)
    for at_x, at_y, sigma, shift_x, shift_y, scale_x, scale_y in bumps.tolist():
        dx, dy = x - at_x, y - at_y
        weight = np.exp((dx * dx + dy * dy) * (-0.5 / sigma**2))
        total_x += weight * (shift_x + scale_x * dx)
        total_y += weight * (shift_y + scale_y * dy)
    return np.stack([total_x, total_y], -1)


def make_person(rng: np.random.Generator) -> Person:
    """Draws a person."""
    bumps = []
    for name, positions in _FEATURES.items():
        limits = np.asarray(_VARIATION[name])
        # A draw away from 0: few people have the average face.
        change = limits * rng.choice((-1, 1), 4) * rng.uniform(0.35, 1, 4)
        for side, position in enumerate(positions):
            wobble = 1 + 0.15 * rng.uniform(-1, 1, 4)
            bumps.append([*position, *change * wobble * (1 - 2 * side, 1, 1, 1)])
    # The whole face, wider or longer.
    bumps.append([224, 125, 48, 0, 0, *rng.uniform(-0.14, 0.14, 2)])
    return Person(
        texture=_colour(photograph(), rng),
        shape=np.asarray(bumps, np.float32),
        mirror=bool(rng.integers(2)),
        zoom=rng.uniform(1.36, 1.6),
    )


def region(points, *, feather: float = 1.5) -> np.ndarray:
    """Returns a polygon as `(512, 512, 1)` float32 weights in [0, 1]."""
    mask = np.zeros((512, 512), np.float32)
    cv2.fillPoly(mask, [np.asarray(points, np.int32)], 1.0)
    return cv2.GaussianBlur(mask, (0, 0), feather)[..., None]


def _spot(x: float, y: float, radius_x: float, radius_y: float) -> np.ndarray:
    """Returns an elliptic Gaussian as `(512, 512, 1)` float32 weights in (0, 1]."""
    rows, columns = np.mgrid[:512, :512].astype(np.float32)
    square = ((columns - x) / radius_x) ** 2 + ((rows - y) / radius_y) ** 2
    return np.exp(-square)[..., None]


def _colour(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the photograph with other skin, hair, clothes and background."""
    image = photo.astype(np.float32)
    # A camera sharpens; the photograph will be enlarged.
    image += 0.7 * (image - cv2.GaussianBlur(image, (0, 0), 1.2))
    skin, head, body = region(SKIN), region(_HEAD), region(_BODY)
    # The outlines are rough: the background is also what looks like it close by.
    back = 1 - np.maximum(np.maximum(head, skin), body)
    plain = (photo.min(-1) > 135) & (np.ptp(photo, -1) < 42)
    near = cv2.dilate(back, np.ones((11, 11), np.uint8)) * (1 - skin[..., 0])
    back = np.maximum(back, cv2.GaussianBlur(near * plain, (0, 0), 0.7)[..., None])
    hair = np.clip(head - skin - back, 0, 1)
    suit = np.clip(body - skin - back, 0, 1)

    def tint(weight, gain, saturation=1.0):
        grey = image.mean(-1, keepdims=True)
        other = (grey + saturation * (image - grey)) * np.asarray(gain, np.float32)
        return image + weight * (other - image)

    dark = rng.uniform(0.62, 1.08)
    warm = rng.uniform(-0.06, 0.06)
    image = tint(skin, (dark**0.7 + warm, dark, dark**1.15 - warm))
    gain = rng.uniform(0.3, 1.15) * (1 + rng.uniform(-0.12, 0.12, 3))
    image = tint(hair, gain, rng.uniform(0.2, 1.5))
    # A negative saturation turns the orange suit blue.
    image = tint(suit, rng.uniform(0.5, 1.1, 3), rng.uniform(-0.9, 1))
    image = tint(back, rng.uniform(0.35, 1.15) * (1 + rng.uniform(-0.2, 0.2, 3)), 1.5)
    lips = _spot(224, 148, 20, 9) * rng.uniform(0, 1)
    image = tint(lips, (1.0, 0.72, 0.75), 1.1)
    beard = _spot(222, 166, 34, 16) * (1 - lips) * max(0, rng.uniform(-0.5, 0.5))
    image = tint(beard, (0.75, 0.75, 0.8), 0.7)
    for x, y in ((202, 88), (250, 90)):
        image = tint(_spot(x, y, 13, 4), (rng.uniform(0.55, 1),) * 3)
    return np.clip(image, 0, 255).astype(np.uint8)


def _waves(rng: np.random.Generator, seconds: np.ndarray, count: int) -> np.ndarray:
    """Returns `(count, T)` smooth random motions in [-1, 1]."""
    hertz = rng.uniform(0.3, 1.4, (count, 2, 1))
    phase = rng.uniform(0, 2 * np.pi, (count, 2, 1))
    return np.sin(2 * np.pi * hertz * seconds + phase).mean(1)


def _expressions(rng: np.random.Generator, seconds: np.ndarray) -> np.ndarray:
    """Returns `(T, K, 7)` bumps of a talking, blinking face."""
    talk, smile, brow = _waves(rng, seconds, 3)
    talk, smile = 0.5 + talk, smile + rng.uniform(-0.6, 0.6)
    blink = np.exp(-(((seconds - rng.uniform(0, seconds[-1] + 0.2)) / 0.08) ** 2))
    zero = np.zeros_like(seconds)
    motions = {
        "mouth": (zero, zero, 0.08 * smile, -0.23 * talk),
        "chin": (zero, -3 * talk, zero, zero),
        "corner": (2.5 * smile, 2 * smile, zero, zero),
        "brow": (zero, 3 * brow, zero, zero),
        "eye": (zero, zero, zero, 1.1 * blink),
    }
    bumps = []
    for name, motion in motions.items():
        for side, position in enumerate(_FEATURES[name]):
            row = np.stack([*(zero + number for number in position), *motion], -1)
            row[:, 3] *= 1 - 2 * side
            bumps.append(row)
    return np.stack(bumps, 1)


def _poses(rng, person: Person, seconds: np.ndarray, size: int) -> np.ndarray:
    """Returns `(T, 2, 3)` maps from the frame to the photograph: a held camera."""
    pan_x, pan_y, zoom, turn = _waves(rng, seconds, 4)
    scale = 400 / size / (person.zoom * (1 + 0.04 * zoom))
    angle = np.deg2rad(4 * turn + rng.uniform(-3, 3))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    flip = -1 if person.mirror else 1
    linear = np.stack([flip * cos, -flip * sin, sin, cos], -1).reshape(-1, 2, 2)
    shift = np.stack([7 * pan_x + rng.uniform(-12, 12), 5 * pan_y], -1)
    offset = np.asarray(_CENTRE) + shift - linear.sum(-1) * (size - 1) / 2
    return np.concatenate([linear, offset[..., None]], -1)


def sampling(pose, size: int, *layers: np.ndarray) -> np.ndarray:
    """Returns `(S, S, 2)` points of the photograph behind the frame's pixels.

    The layers of bumps are smooth, so that they are computed at every eighth pixel.
    """

    def through_camera(axis):
        x, y = np.meshgrid(axis, axis)
        return np.stack([x, y], -1).astype(np.float32) @ linear.T + offset

    linear, offset = np.float32(pose[:, :2]), np.float32(pose[:, 2])
    coarse = through_camera(np.arange(size // 8) * 8 + 3.5)
    moved = coarse
    for bumps in layers:
        moved = moved + displacement(moved, bumps)
    moved = cv2.resize(moved - coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return through_camera(np.arange(size)) + moved


def look_up(image: np.ndarray, points: np.ndarray, how=cv2.INTER_CUBIC) -> np.ndarray:
    """Samples an image at `(H, W, 2)` points, its edge repeated beyond it."""
    return cv2.remap(image, points, None, how, borderMode=cv2.BORDER_REPLICATE)


def film(person: Person, rng: np.random.Generator, frames: int, size: int, fps: int):
    """Returns a `Clip` of a person who talks before a held camera.

    Args:
        person: Who is filmed.
        rng: Draws camera, expression, light and noise.
        frames: Number of frames T.
        size: Side S of the square frames in pixels, a multiple of 8.
        fps: Frames per second.
    """
    seconds = np.arange(frames) / fps
    poses = _poses(rng, person, seconds, size)
    moods = _expressions(rng, seconds)
    light = 1 + 0.05 * _waves(rng, seconds, 1).T + 0.02 * _waves(rng, seconds, 3).T
    sigma = rng.uniform(3.5, 4.5)
    maps, shots = [], []
    for pose, mood, gain in zip(poses, moods, light, strict=True):
        points = sampling(pose, size, person.shape, mood)
        shot = look_up(person.texture, points) * np.float32(gain)
        # Luma noise plus weaker noise of its own in each colour.
        noise = rng.standard_normal((size, size, 4), np.float32)
        shot += sigma * (0.8 * noise[..., :1] + 0.6 * noise[..., 1:])
        maps.append(points)
        shots.append(np.clip(shot, 0, 255).astype(np.uint8))
    return Clip(person, poses, moods, np.stack(maps), np.stack(shots))
