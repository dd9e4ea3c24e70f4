"""Made-up predictions, of which one knows how right they are."""

import numpy as np
from scipy import special

from sfcl_tf.evaluation.predictions import Predictions


def make(label, logit, video=None):
    """Predictions of frames, each a video of its own unless told otherwise."""
    n = len(label)
    method = np.where(np.asarray(label) == 1, "swap", "real")
    video = np.arange(n) if video is None else video
    same = (["d"] * n, ["val"] * n, method, [f"v{v}" for v in video], range(n))
    return Predictions(*map(list, same), np.zeros(n), [0] * n, label, logit)


def overconfident(n=4000, factor=3.0):
    """Logits that are `factor` times as large as they should be."""
    rng = np.random.default_rng(0)
    true = rng.normal(scale=1.5, size=n)
    label = (rng.uniform(size=n) < special.expit(true)).astype(int)
    return make(label, factor * true)


def videos(rng, reals, fakes, frames=32):
    """Frames of a frame AUC of .81, of which a third varies between videos.

    The logits are three times as large as they should be.
    """
    kind = np.r_[np.zeros(reals, int), np.ones(fakes, int)]
    apart = 0.878 * np.sqrt(2)
    between = apart * kind - apart / 2 + rng.normal(0, 0.32**0.5, len(kind))
    logit = between[:, None] + rng.normal(0, 0.68**0.5, (len(kind), frames))
    # Ids sort as the videos do.
    video = np.repeat(np.arange(len(kind)) + 10**6, frames)
    return make(np.repeat(kind, frames), 3 * logit.ravel(), video)


def means(predictions, calibration):
    """Mean scores of videos, of equally many frames."""
    score = calibration.score(predictions.logit)
    return score.reshape(len(set(predictions.video_id)), -1).mean(1)
