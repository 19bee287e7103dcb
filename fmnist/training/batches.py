"""Rows in memory, cut into batches; the order of the rows is a function of (seed, epoch)."""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fmnist.data.dataset import Split
from fmnist.results import CLASSES


def order_of_epoch(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """(rows,) int64: the row numbers in the order of this epoch, a new one every epoch.

    Keras's own shuffling repeats one order for ever once it is seeded.
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)


def in_order(split: Split, batch_size: int, order: "tf.Variable") -> "tf.data.Dataset":
    """Batches of (uint8 images, float32 one-hot labels) in the order that the variable holds.

    Each pass reads `order`, (n,) int64, anew when it starts. The last batch of a pass is smaller
    when the rows do not divide; a single row left over joins the batch before it, since a batch
    is halved (see `halves`). `batch_size` is at least 2, and so is n.
    """
    images, one_hot = tf.constant(split.images), tf.one_hot(split.labels, CLASSES)
    count = len(split.labels)

    @tf.autograph.experimental.do_not_convert
    def batch(start: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        end = tf.where(start + batch_size < count - 1, start + batch_size, count)
        rows = order[start:end]
        return tf.gather(images, rows), tf.gather(one_hot, rows)

    dataset = tf.data.Dataset.range(0, count - 1, batch_size).map(batch).prefetch(4)
    options = tf.data.Options()
    # The cores belong to the steps; one thread gathers a batch faster than a step uses it.
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    return dataset.with_options(options)


def in_file_order(split: Split, batch_size: int) -> "tf.data.Dataset":
    """Batches of (uint8 images, float32 one-hot labels), always the same."""
    one_hot = np.eye(CLASSES, dtype=np.float32)[split.labels]
    return tf.data.Dataset.from_tensor_slices((split.images, one_hot)).batch(batch_size)
