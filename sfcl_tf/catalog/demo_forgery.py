"""Forgeries of the demo's clips, in the spirit of FaceForensics++'s methods."""

from collections.abc import Callable

import cv2
import numpy as np

from sfcl_tf.catalog.demo_film import (
    SKIN,
    Clip,
    displacement,
    look_up,
    region,
    sampling,
)

# What FaceSwap pastes: brows, cheeks and chin, straight edges.
_PASTE = [
    *((191, 86), (224, 84), (258, 88), (264, 108), (262, 140), (252, 162)),
    *((234, 174), (214, 174), (196, 162), (187, 140), (186, 108)),
]


def _soften(image: np.ndarray, factor: float) -> np.ndarray:
    """Returns the image as if synthesised at 1 / factor of its size."""
    size = image.shape[1], image.shape[0]
    small = cv2.resize(
        image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


def _match(face, frame, alpha, strength: float, colour) -> np.ndarray:
    """Moves the face's mean and contrast towards the frame's, but for `colour`."""
    inside = (alpha > 0.5).astype(np.uint8)
    mean, std = (value.T for value in cv2.meanStdDev(face, mask=inside))
    goal_mean, goal_std = (value.T for value in cv2.meanStdDev(frame, mask=inside))
    gain = 1 + strength * (goal_std / np.maximum(std, 1) - 1)
    offset = mean + strength * (goal_mean - mean) + colour - gain * mean
    return face * np.float32(gain) + np.float32(offset)


def _reenact(target: Clip, source: Clip, i: int, factor: float) -> np.ndarray:
    """Returns the target's frame with the source's expression, re-sampled."""
    size = target.frames.shape[1]
    points = target.maps[i][4::8, 4::8]
    change = displacement(points, source.moods[i]) - displacement(
        points, target.moods[i]
    )
    change = change @ np.linalg.inv(target.poses[i][:, :2]).T.astype(np.float32)
    change = cv2.resize(change, (size, size), interpolation=cv2.INTER_CUBIC)
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    points = np.stack([columns, rows], -1).astype(np.float32) + change
    return look_up(_soften(target.frames[i], factor), points, cv2.INTER_LINEAR)


def _deepfakes(target: Clip, source: Clip, rng: np.random.Generator):
    """The source's face, generated small, in the target's pose and expression."""
    factor = rng.uniform(2.2, 2.8)
    colour = rng.uniform(3, 8, 3) * rng.choice((-1, 1), 3)
    skin = _inner_skin()

    def swap(i, alpha):
        size = target.frames.shape[1]
        points = sampling(target.poses[i], size, source.person.shape, target.moods[i])
        alpha = np.minimum(alpha, look_up(skin, points, cv2.INTER_LINEAR))
        face = _soften(look_up(source.person.texture, points), factor)
        return _match(face, target.frames[i], alpha, 0.85, colour), alpha

    return swap


def _face2face(target: Clip, source: Clip, rng: np.random.Generator):
    """The target's own face, rendered again with the source's expression."""
    factor = rng.uniform(1.5, 1.9)
    level, slope = rng.uniform(3, 7, 2) * rng.choice((-1, 1), 2)
    # The renderer's estimate of the light is a little off.
    shade = level + slope * np.linspace(-2, 2, target.frames.shape[2])[:, None]

    def reenact(i, alpha):
        return _reenact(target, source, i, factor) + np.float32(shade), alpha

    return reenact


def _faceswap(target: Clip, source: Clip, rng: np.random.Generator):
    """The source's filmed face, pasted over the target's."""
    factor = rng.uniform(1.3, 1.7)
    colour = rng.uniform(3, 7, 3) * rng.choice((-1, 1), 3)
    skin = _inner_skin()
    last_row = [[0, 0, 1]]

    def paste(i, alpha):
        size = target.frames.shape[1]
        to_source = np.linalg.inv(np.vstack([source.poses[i], last_row]))
        both = (to_source @ np.vstack([target.poses[i], last_row]))[:2]
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        limit = look_up(skin, source.maps[i], cv2.INTER_LINEAR)
        limit = cv2.warpAffine(limit, both, (size, size), flags=how)
        alpha = np.minimum(alpha, limit)
        face = cv2.warpAffine(
            _soften(source.frames[i], factor), both, (size, size), flags=how
        )
        return _match(face, target.frames[i], alpha, 0.85, colour), alpha

    return paste


def _neural_textures(target: Clip, source: Clip, rng: np.random.Generator):
    """The target's mouth, generated small, with the source's expression."""
    factor = rng.uniform(2.4, 3)
    colour = rng.uniform(2, 5, 3) * rng.choice((-1, 1), 3)

    def render(i, alpha):
        return _reenact(target, source, i, factor) + np.float32(colour), alpha

    return render


def _inner_skin() -> np.ndarray:
    """Returns `(512, 512)` weights in [0, 1], 0 from the skin's border on.

    Limits a swap to the source's face, which may be narrower than the target's.
    """
    return np.clip(2 * region(SKIN)[..., 0] - 1, 0, 1)


def _oval(x: float, y: float, radius_x: float, radius_y: float) -> np.ndarray:
    """Returns `(512, 512)` weights in [0, 1]: 1 inside, 0 from the border on."""
    rows, columns = np.mgrid[:512, :512].astype(np.float32)
    radius = np.hypot((columns - x) / radius_x, (rows - y) / radius_y)
    return np.clip((1 - radius) / 0.3, 0, 1)


# Per method: what gives each frame's face and weights (which may be lower than
# those it gets), and where on the photograph it is blended in.
_FORGERIES: dict[str, tuple[Callable, Callable[[], np.ndarray]]] = {
    "Deepfakes": (_deepfakes, lambda: _oval(224, 127, 43, 52)),
    "Face2Face": (_face2face, lambda: _oval(224, 130, 42, 52)),
    "FaceSwap": (_faceswap, lambda: region(_PASTE, feather=0.8)[..., 0]),
    "NeuralTextures": (_neural_textures, lambda: _oval(223, 152, 37, 29)),
}
METHODS = tuple(_FORGERIES)


def forge(method: str, target: Clip, source: Clip, rng: np.random.Generator):
    """Forges the frames of a clip.

    Args:
        method: One of `METHODS`.
        target: Clip whose frames are changed.
        source: Clip whose face or expression is taken; as long as the target.
        rng: Draws the artefacts' strengths.

    Returns:
        The frames `(T, S, S, 3)` uint8 RGB, and the masks `(T, S, S)` uint8, 255
        where the frames may differ from the target's and 0 where they do not.
    """
    start, blend = _FORGERIES[method]
    make, region = start(target, source, rng), blend()
    frames, masks = [], []
    for i, frame in enumerate(target.frames):
        alpha = look_up(region, target.maps[i], cv2.INTER_LINEAR)
        face, alpha = make(i, alpha)
        alpha[alpha < 0.02] = 0
        mixed = frame + alpha[..., None] * (face - frame)
        frames.append(np.clip(np.rint(mixed), 0, 255).astype(np.uint8))
        masks.append(np.where(alpha > 0, 255, 0).astype(np.uint8))
    return np.stack(frames), np.stack(masks)
