"""What steps are made of a gradient, and how long they are."""

import math
from typing import Any, Final

import keras
from keras import ops

from fmnist.options.recipe import Recipe, Schedule

MOMENTUM: Final = 0.9
_NEVER_DECAYED: Final = ("bias", "gamma", "beta")


class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate of each step: up in a straight line, then down as the schedule says.

    Sources: Loshchilov and Hutter (2017) for `cosine`, Smith and Topin (2018) for `onecycle`, Goyal
    et al. (2017) for the rise; see `Recipe`.

    Args:
        peak: the rate from which it falls.
        warmup: share of all steps before the peak.
        steps: how many the fit has.
    """

    def __init__(self, peak: float, schedule: Schedule, warmup: float, steps: int) -> None:
        super().__init__()
        self._peak = peak
        self._schedule = schedule
        self._rising = warmup * steps
        self._falling = max(steps - self._rising, 1)

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        risen = ops.minimum(1.0, (step + 1) / max(self._rising, 1))
        fallen = ops.clip((step - self._rising) / self._falling, 0.0, 1.0)
        if self._schedule == "cosine":
            left = 0.5 + 0.5 * ops.cos(math.pi * fallen)
        else:
            left = 1.0 - fallen if self._schedule == "onecycle" else 1.0
        return self._peak * risen * left


def optimizer(techniques: Recipe, learning_rate: float, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a fit of so many steps; biases and scales are never decayed."""
    rate: Any = learning_rate
    if techniques.schedule != "constant" or techniques.warmup:
        rate = WarmupDecay(learning_rate, techniques.schedule, techniques.warmup, steps)
    if techniques.optimizer == "adam":
        return keras.optimizers.Adam(rate)
    decay = techniques.weight_decay
    made: keras.optimizers.Optimizer
    if techniques.optimizer == "adamw":
        made = keras.optimizers.AdamW(rate, weight_decay=decay)
    else:
        made = keras.optimizers.SGD(rate, MOMENTUM, nesterov=True, weight_decay=decay)
    made.exclude_from_weight_decay(var_names=list(_NEVER_DECAYED))
    return made
