"""The optimizer that a configuration asks for."""

import keras
from keras import ops

from sfcl_tf.config import TrainConfig
from sfcl_tf.system.errors import UsageError


class LayerwiseAdam(keras.optimizers.Adam):
    """Adam with a learning rate of its own for some variables.

    A factor on the gradient would not do: Adam divides it out again. Gradients are
    clipped after they were summed over the replicas, so that the number of replicas
    changes nothing; Keras's own optimizers clip each replica's before.

    Args:
        slow: Variables that learn more slowly, or later, than the rest.
        factor: Their share of the learning rate.
        frozen_steps: Steps at the start in which they do not learn at all.
        **kwargs: As for `keras.optimizers.Adam`.
    """

    def __init__(self, *, slow=(), factor=1.0, frozen_steps=0, **kwargs):
        super().__init__(**kwargs)
        self._slow = {variable.path for variable in slow}
        self._factor = factor
        self._frozen_steps = frozen_steps

    def build(self, variables):
        super().build(variables)
        self._is_slow = [variable.path in self._slow for variable in variables]

    def _clip_gradients(self, grads):
        """Leaves a replica's gradients: they are a part of what is to be clipped."""
        return grads

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Clips what is reduced: the gradient of the whole batch."""
        reduced = super()._all_reduce_sum_gradients(grads_and_vars)
        clipped = super()._clip_gradients([gradient for gradient, _ in reduced])
        variables = [variable for _, variable in reduced]
        return list(zip(clipped, variables, strict=True))

    def update_step(self, gradient, variable, learning_rate):
        if self._is_slow[self._get_variable_index(variable)]:
            frozen = ops.less(self.iterations, self._frozen_steps)
            learning_rate = ops.where(frozen, 0.0, self._factor) * learning_rate
        super().update_step(gradient, variable, learning_rate)

    def finalize_variable_values(self, var_list):
        """Leaves the weights as they are: averages are put in to validate alone."""


def make_optimizer(
    options: TrainConfig, steps_per_epoch: int, backbone=()
) -> keras.optimizers.Optimizer:
    """Returns Adam with decoupled weight decay, as the configuration has it.

    Args:
        options: `config.train`.
        steps_per_epoch: For the schedule, which is told in steps.
        backbone: Variables for which `backbone_rate` and `freeze_epochs` hold.

    Raises:
        UsageError: If one of these is set and there is nothing to hold for.
    """
    separate = options.backbone_rate != 1 or options.freeze_epochs
    if separate and not backbone:
        raise UsageError(
            "Expected a model with a backbone, for train.backbone_rate and "
            f"train.freeze_epochs. Received: {options.backbone_rate:g} and "
            f"{options.freeze_epochs}, and a model without one. Leave them at 1 and 0, "
            "or train another --model."
        )
    return LayerwiseAdam(
        learning_rate=_rate(options, steps_per_epoch),
        weight_decay=options.weight_decay or None,
        global_clipnorm=options.clip_norm or None,
        use_ema=bool(options.ema),
        ema_momentum=options.ema or 0.99,
        slow=backbone if separate else (),
        factor=options.backbone_rate,
        frozen_steps=options.freeze_epochs * steps_per_epoch,
    )


def _rate(options, steps_per_epoch):
    steps = options.epochs * steps_per_epoch
    warmup = int(options.warmup * steps)
    constant = options.schedule == "constant"
    if constant and not warmup:
        return options.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else options.learning_rate,
        warmup_target=options.learning_rate if warmup else None,
        warmup_steps=warmup,
        decay_steps=max(steps - warmup, 1),
        alpha=float(constant),  # the share of the rate that the decay ends at
    )
