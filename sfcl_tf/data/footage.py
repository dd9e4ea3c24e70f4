"""A video or an image, opened: facts, time stamps, pictures."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from sfcl_tf.data.images import read_image
from sfcl_tf.data.listing import Video
from sfcl_tf.data.picture import Picture
from sfcl_tf.data.video import Damage, VideoFacts, decode, scan


@dataclasses.dataclass(frozen=True)
class Footage:
    """What can be looked at.

    Attributes:
        facts: What the file says of itself.
        stamps: `(frames,)` int64, ascending, of the frames that are to come.
        pictures: Begins a new pass over them, in presentation order.
        damage: What did not decode in the passes so far.
    """

    facts: VideoFacts
    stamps: np.ndarray
    pictures: Callable[[], Iterator[Picture]]
    damage: Damage = dataclasses.field(default_factory=Damage)

    def announces(self, picture: Picture) -> bool:
        """Tells whether a picture is the one that its time stamp stands for."""
        return (
            picture.index < len(self.stamps)
            and self.stamps[picture.index] == picture.stamp
        )

    def settled(self) -> "Footage":
        """Returns the same with the time stamps of the frames that do decode."""
        stamps = [picture.stamp for picture in self.pictures()]
        ascending = None not in stamps and all(np.diff(stamps) > 0)
        return dataclasses.replace(
            self, stamps=np.array(stamps if ascending else range(len(stamps)), np.int64)
        )


def open_footage(video: Video) -> Footage:
    """Opens a video or an image.

    Raises:
        DataError: If it cannot be read.
    """
    if video.is_image:
        facts, picture = read_image(video.path)
        return Footage(facts, np.zeros(1, np.int64), lambda: iter([picture]))
    facts, stamps = scan(video.path)
    damage = Damage()
    return Footage(facts, stamps, lambda: decode(video.path, damage), damage)
