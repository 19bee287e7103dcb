"""Optimizers, learning-rate schedules and averages of the weights.

Keras's classes are not used as they are in three cases. `CosineDecay` is its only schedule with a
warm-up, and its first step has a learning rate of 0. `use_ema` does not average the statistics of
batch normalization and does not correct for the initial weights. `Muon` ignores convolutions.
"""

import math
from typing import Any, Final

import keras
import tensorflow as tf
from keras import ops

from fmnist.options.recipe import RecipeOptions, Schedule

MOMENTUM: Final = 0.9
_OUTPUT_LAYER: Final = "probabilities"
_NEVER_DECAYED: Final = ("bias", "gamma", "beta")


class WarmupDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises linearly to its peak and then follows the schedule.

    See `options.recipe` for the sources of the schedules and of the warm-up.

    Args:
        peak: the highest learning rate.
        warmup: fraction of all steps before the peak.
        steps: number of steps of the fit.
    """

    def __init__(self, peak: float, schedule: Schedule, warmup: float, steps: int) -> None:
        super().__init__()
        self._peak = peak
        self._schedule = schedule
        self._warmup_steps = warmup * steps
        self._decay_steps = max(steps - self._warmup_steps, 1)

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        warmup = ops.minimum(1.0, (step + 1) / max(self._warmup_steps, 1))
        progress = ops.clip((step - self._warmup_steps) / self._decay_steps, 0.0, 1.0)
        if self._schedule == "cosine":
            decay = 0.5 + 0.5 * ops.cos(math.pi * progress)
        else:
            decay = 1.0 - progress if self._schedule == "onecycle" else 1.0
        return self._peak * warmup * decay


class Muon(keras.optimizers.Muon):
    """Muon that orthogonalizes the updates of convolutions too, as matrices (inputs, filters).

    Keras's Muon does so for dense kernels only, and uses AdamW for all other variables.
    """

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        return ops.reshape(super().zeropower_via_newtonschulz5(_to_matrix(x), steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        return ops.reshape(super().lr_adjust(_to_matrix(x)), x.shape)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4 and super()._should_use_adamw(variable)


def _to_matrix(kernel: Any) -> Any:
    return ops.reshape(kernel, (-1, kernel.shape[-1]))


def create_optimizer(
    recipe: RecipeOptions, learning_rate: float, steps: int
) -> keras.optimizers.Optimizer:
    """Create the optimizer for a fit of `steps` steps; biases and scales are not decayed."""
    rate: Any = learning_rate
    if recipe.schedule != "constant" or recipe.warmup:
        rate = WarmupDecay(learning_rate, recipe.schedule, recipe.warmup, steps)
    match recipe.optimizer:
        case "adam":
            return keras.optimizers.Adam(rate)
        case "adamw":
            optimizer = keras.optimizers.AdamW(rate, recipe.weight_decay)
        case "sgd":
            optimizer = keras.optimizers.SGD(
                rate, MOMENTUM, nesterov=True, weight_decay=recipe.weight_decay
            )
        case "muon":
            decay = recipe.weight_decay
            optimizer = Muon(
                rate, weight_decay=decay, adam_weight_decay=decay, exclude_layers=[_OUTPUT_LAYER]
            )
    optimizer.exclude_from_weight_decay(var_names=list(_NEVER_DECAYED))
    return optimizer


class WeightAverages(keras.callbacks.Callback):
    """Exponential moving averages of all weights, including batch normalization statistics.

    As a callback, it makes the model contain the averages for validation and between epochs. As in
    TensorFlow's `ExponentialMovingAverage`, the decay in step t is at most (1 + t) / (10 + t), so
    that the averages of a short fit do not contain the initial weights.

    Source: Tarvainen and Valpola, "Mean teachers are better role models" (2017).

    Attributes:
        active: whether the model contains the averages now.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        super().__init__()
        self.active = False
        self._weights = [weight.value for weight in model.weights]
        self._averages = [tf.Variable(weight, trainable=False) for weight in self._weights]
        self._steps = tf.Variable(0.0, trainable=False)
        self._decay = decay

    @property
    def variables(self) -> "list[tf.Variable]":
        """The state that a checkpoint stores."""
        return [*self._averages, self._steps]

    def update(self) -> None:
        """Add the weights after a training step; runs inside the graph of the step."""
        step = self._steps.assign_add(1.0)
        gain = 1.0 - tf.minimum(self._decay, (1.0 + step) / (10 + step))
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign_add(gain * (weight - average))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._activate(False)

    def on_test_begin(self, logs: Any = None) -> None:
        self._activate(True)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._activate(True)

    def _activate(self, active: bool) -> None:
        """Exchange the averages and the weights of the model if necessary."""
        if self.active != active:
            for average, weight in zip(self._averages, self._weights, strict=True):
                previous: Any = tf.identity(weight)
                weight.assign(average)
                average.assign(previous)
            self.active = active
