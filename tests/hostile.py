"""Work that ends badly; in a module of its own, for other processes import it."""

import os
import time

from sfcl_tf.records.workers import Task


class Hostile(Task):
    """A task whose process dies or hangs, as a decoder on a hostile file might."""

    def __call__(self):
        """Does what the video's id says."""
        if "deadly" in self.video.video_id:
            os._exit(139)
        if "slow" in self.video.video_id:
            time.sleep(600)
        return {"video_id": self.video.video_id}, 0.0
