"""Training steps that compute the two halves of a batch on separate threads."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


class MicrobatchModel(keras.Model):
    """A model whose training step computes the gradients of each half batch on its own thread.

    The gradients are summed, so a step equals Keras's own except for the order of floating-point
    additions. Single operations on small batches parallelize badly, whole half batches do not: on
    two cores an epoch of LeNet-5 takes about two thirds of the time
    (benchmarks/train_lenet.py). A batch needs at least two rows.

    Batch normalization uses the statistics of each half (ghost batches: Hoffer, Hubara and Soudry,
    "Train longer, generalize better", 2017) and updates its moving averages once for each half.

    Created from the input and output of another model, it shares that model's layers and weights.

    Attributes:
        splits_batches: a GPU computes whole batches instead.
        after_step: called at the end of each step, inside its graph.
    """

    splits_batches: bool = True
    after_step: Callable[[], None] | None = None

    def train_step(self, data: Any) -> dict[str, Any]:
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        rows = tf.shape(images)[0]
        middle = rows // 2
        variables = self.trainable_variables
        losses, gradients, predictions = [], [], []
        halves = (slice(None, middle), slice(middle, None))
        for half in halves if self.splits_batches else (slice(None),):
            with tf.GradientTape() as tape:
                predicted = self(images[half], training=True)
                half_weights = None if weights is None else weights[half]
                mean_loss = self.compute_loss(images[half], labels[half], predicted, half_weights)
                loss = mean_loss * tf.cast(tf.shape(predicted)[0] / rows, mean_loss.dtype)
            losses.append(loss)
            gradients.append(tape.gradient(loss, variables))
            predictions.append(predicted)
        self.optimizer.apply_gradients(
            (tf.add_n(pair), variable)
            for *pair, variable in zip(*gradients, variables, strict=True)
        )
        if self.after_step:
            self.after_step()
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(tf.add_n(losses), sample_weight=rows)
            else:
                metric.update_state(labels, tf.concat(predictions, axis=0))
        return {metric.name: metric.result() for metric in self.metrics}
