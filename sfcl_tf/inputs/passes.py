"""What is done to an example between its record and the model.

```
example -> pass -> crop, label -> preprocess
```
A pass is one of three: `Unchanged`, as validation and tests are by default; `Varied`,
random, as training is; `Degraded`, the same degradation at the same level for all, as
a test of robustness is. Each takes an example and cuts the face out itself, so that it
may change the surroundings before, the crop after, and the label.
"""

import abc
import dataclasses
from collections.abc import Callable

import tensorflow as tf

from sfcl_tf.config import AugmentConfig
from sfcl_tf.inputs.augment import draw, vary_box, vary_crop
from sfcl_tf.inputs.degrade import Degradation, degrade
from sfcl_tf.inputs.example import Example

Cut = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From region and box to the crop: `Preprocessor.crop`."""


class Pass(abc.ABC):
    """From an example to what the model is shown of it."""

    @abc.abstractmethod
    def __call__(self, example: Example, cut: Cut) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns crop and label, in a graph or out of one.

        Args:
            example: The example.
            cut: Cuts a face out of its surroundings.

        Returns:
            `(side, side, 3)` uint8 RGB at native resolution, and an int64 scalar.
        """


class Unchanged(Pass):
    """Shows the face as it is."""

    def __call__(self, example, cut):
        """Cuts the face out."""
        return cut(example.region, example.box), example.label


@dataclasses.dataclass(frozen=True)
class Varied(Pass):
    """Varies the face at random, as `augment` says.

    What is drawn depends on seed, epoch, example and repeat alone.

    Attributes:
        augment: What is varied, how often and how much.
        seed: Of the training.
        epoch: Which epoch, an int64 scalar.
        repeat: Which of the example's repeats in the epoch, an integer scalar.
    """

    augment: AugmentConfig
    seed: int
    epoch: tf.Tensor | int
    repeat: tf.Tensor | int = 0

    def __call__(self, example, cut):
        """Cuts the face out, moved, and varies it."""
        drawn = self.draw(example)
        crop = cut(example.region, vary_box(example.box, drawn))
        return vary_crop(crop, drawn), example.label

    def draw(self, example: Example):
        """Returns what is drawn for an example; see `sfcl_tf.inputs.augment.draw`."""
        fold_in = tf.random.experimental.stateless_fold_in
        epoch = fold_in(tf.constant([self.seed, 0], tf.int64), self.epoch)
        repeat = tf.strings.as_string(self.repeat)
        name = tf.strings.join([example.name, repeat], "/")
        return draw(
            self.augment, fold_in(epoch, tf.strings.to_hash_bucket_fast(name, 1 << 62))
        )


@dataclasses.dataclass(frozen=True)
class Degraded(Pass):
    """Degrades every face alike.

    Noise and the places of grey blocks depend on the example alone.

    Attributes:
        degradations: What is done, in this order.
    """

    degradations: tuple[Degradation, ...]

    def __call__(self, example, cut):
        """Cuts the face out and degrades it."""
        crop = cut(example.region, example.box)
        key = tf.strings.to_hash_bucket_fast(example.name, 1 << 62)
        seed = tf.stack([tf.constant(0, tf.int64), key])
        for degradation in self.degradations:
            crop = degrade(crop, degradation, seed)
        return crop, example.label
