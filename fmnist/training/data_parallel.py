"""One step of gradient descent with the two halves of a batch computed side by side."""

from collections.abc import Callable
from typing import Any, Final

import keras
import tensorflow as tf

HALVES: Final = 2


class MicrobatchModel(keras.Model):
    """A model whose training step gives each half of a batch to a thread of its own.

    The sum of the halves' gradients is the gradient of the whole batch, so the step is the same
    as Keras's own but for the order of floating-point additions. Small operations share badly
    between threads, whole halves do not: on two cores an epoch of LeNet-5 takes about two thirds
    of the time (benchmarks/train_lenet.py). A batch has at least two rows.

    Batch normalization sees each half by itself (ghost batches: Hoffer, Hubara and Soudry, "Train
    longer, generalize better", 2017), and its moving averages advance once for each half.

    Made from the input and output of another model, it shares that model's layers and weights.

    Attributes:
        after_step: what is done at the end of each step, inside its graph.
    """

    after_step: Callable[[], None] | None = None

    def train_step(self, data: Any) -> dict[str, Any]:
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(data)
        rows = tf.shape(images)[0]
        cut = rows // HALVES
        weights = self.trainable_variables
        losses, gradients, answers = [], [], []
        for part in (slice(None, cut), slice(cut, None)):
            with tf.GradientTape() as tape:
                answer = self(images[part], training=True)
                mean = self.compute_loss(images[part], labels[part], answer)
                loss = mean * tf.cast(tf.shape(answer)[0] / rows, mean.dtype)
            losses.append(loss)
            gradients.append(tape.gradient(loss, weights))
            answers.append(answer)
        self.optimizer.apply_gradients(
            (tf.add_n(pair), weight) for *pair, weight in zip(*gradients, weights, strict=True)
        )
        if self.after_step:
            self.after_step()
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(tf.add_n(losses), sample_weight=rows)
            else:
                metric.update_state(labels, tf.concat(answers, axis=0))
        return {metric.name: metric.result() for metric in self.metrics}
