"""Face boxes that come from elsewhere, instead of a detector.

    {"<video id>": {"<frame index>": [[x0, y0, x1, y1], ...], ...}, ...}

Video ids are those of the manifest, such as `ff_c23/Deepfakes/519_515`; frame
indices count in presentation order from 0; an image's frame is 0. Boxes are in pixels
of the upright frame, ends exclusive. Frames are sampled among those that have boxes.
"""

import json
from pathlib import Path

from sfcl_tf.faces.face import Box, Face, area, inside, overlap
from sfcl_tf.system.errors import DataError

FrameBoxes = dict[int, list[Box]]
_SAME_FACE = 0.3


def read_boxes(path: Path) -> dict[str, FrameBoxes]:
    """Reads a file of boxes.

    Raises:
        DataError: If it is missing or not as told above.
    """
    try:
        return {
            video_id: {
                int(index): [_box(values) for values in boxes]
                for index, boxes in sorted(frames.items(), key=lambda f: int(f[0]))
            }
            for video_id, frames in json.loads(path.read_text("utf-8")).items()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            'Expected {"VIDEO ID": {"FRAME": [[x0, y0, x1, y1], ...]}} in JSON. '
            f"Received: {path} ({error})."
        ) from error


def _box(values) -> Box:
    x0, y0, x1, y1 = (round(value) for value in values)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"x0 < x1 and y0 < y1 do not hold in {values}")
    return x0, y0, x1, y1


class GivenFaces:
    """Gives the boxes of each frame, with tracks by overlap.

    Args:
        frames: Boxes by frame index.
        most: How many of a frame's boxes to take, the largest first.
    """

    def __init__(self, frames: FrameBoxes, most: int):
        self._frames = frames
        self._most = most
        self._last: dict[int, Box] = {}
        self._count = 0

    def __call__(self, index: int, height: int, width: int) -> list[Face]:
        """Returns the faces of a frame of the given size, largest first."""
        boxes = [inside(box, height, width) for box in self._frames.get(index, [])]
        boxes = sorted(filter(area, boxes), key=area, reverse=True)[: self._most]
        unmatched, faces = dict(self._last), []
        for box in boxes:
            track = max(
                unmatched, key=lambda n: overlap(unmatched[n], box), default=None
            )
            if track is None or overlap(unmatched[track], box) < _SAME_FACE:
                track, self._count = self._count, self._count + 1
            else:
                del unmatched[track]
            self._last[track] = box
            faces.append(Face(box, track, True))
        return faces
