"""A running mean of a model's weights, kept beside it."""

from typing import Any, Final

import keras
import tensorflow as tf

# The mean of few steps must not remember the start: its decay in step t is at most (1 + t) over
# (10 + t), as in TensorFlow's ExponentialMovingAverage.
_SOON: Final = 10


class Averages:
    """Exponential moving averages of all weights, batch normalization's statistics among them.

    Source: Tarvainen and Valpola, "Mean teachers are better role models" (2017).
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self._weights = [weight.value for weight in model.weights]
        self._means = [tf.Variable(weight, trainable=False) for weight in self._weights]
        self._steps = tf.Variable(0.0, trainable=False)
        self._decay = decay

    @property
    def variables(self) -> "list[tf.Variable]":
        """All that is to be kept of them."""
        return [*self._means, self._steps]

    def update(self) -> None:
        """Take the weights after a step into the mean; part of the step's graph."""
        step = self._steps.assign_add(1.0)
        gain = 1.0 - tf.minimum(self._decay, (1.0 + step) / (_SOON + step))
        for mean, weight in zip(self._means, self._weights, strict=True):
            mean.assign_add(gain * (weight - mean))

    def swap(self) -> None:
        """Put the means into the model, or the weights back: each takes the place of the other."""
        for mean, weight in zip(self._means, self._weights, strict=True):
            kept: Any = tf.identity(weight)
            weight.assign(mean)
            mean.assign(kept)


class Averaged(keras.callbacks.Callback):
    """Between epochs the model has the means: they are validated, and stay when the fit ends.

    Args:
        inside: whether the model has them already.
    """

    def __init__(self, averages: Averages, *, inside: bool) -> None:
        super().__init__()
        self._averages = averages
        self._inside = inside

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._put(inside=False)

    def on_test_begin(self, logs: Any = None) -> None:
        self._put(inside=True)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._put(inside=True)

    def _put(self, *, inside: bool) -> None:
        if self._inside != inside:
            self._averages.swap()
            self._inside = inside
