"""Rows in memory, cut into batches; the order of the rows is a function of (seed, epoch)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fmnist.data.dataset import Split
from fmnist.results.training import CLASSES
from fmnist.training.augmentation import Alter


@dataclass(frozen=True, eq=False)
class Rows:
    """Chosen rows of what a model takes, with their labels; choosing copies nothing.

    Args:
        inputs: (m, …) uint8 or float32, an array in memory or mapped from a file.
        labels: (m,) uint8, the class of each row, 0 to 9.
        chosen: (n,) int64, the numbers of the rows that count.
        targets: (m, 10) float32, what to fit to instead of the labels; None for the labels.
    """

    inputs: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8]
    chosen: npt.NDArray[np.int64]
    targets: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.chosen)


def rows_of(data: Split | Rows) -> Rows:
    """All images of a split; rows as they are."""
    if isinstance(data, Rows):
        return data
    return Rows(data.images, data.labels, np.arange(len(data)))


def order_of_epoch(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """(rows,) int64: the row numbers in the order of this epoch, a new one every epoch.

    Keras's own shuffling repeats one order for ever once it is seeded.
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)


def in_order(
    data: Split | Rows, batch_size: int, order: "tf.Variable", alter: Alter | None = None
) -> "tf.data.Dataset":
    """Batches of (inputs, float32 targets) in the order that the variable holds.

    Each pass reads `order`, (n,) int64 numbers of rows, anew when it starts. The last batch of a
    pass is smaller when the rows do not divide; a single row left over joins the batch before it,
    since a batch is halved (see `halves`). `batch_size` is at least 2, and so is n.

    Args:
        alter: what is done to each batch, see `augment`.
    """
    rows = rows_of(data)
    inputs, targets = _tensor(rows.inputs), tf.one_hot(rows.labels, CLASSES)
    if rows.targets is not None:
        targets = tf.constant(rows.targets)
    count = len(rows)

    @tf.autograph.experimental.do_not_convert
    def batch(start: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        end = tf.where(start + batch_size < count - 1, start + batch_size, count)
        numbers = order[start:end]
        rows = tf.gather(inputs, numbers), tf.gather(targets, numbers)
        return alter(*rows, start // batch_size) if alter else rows

    dataset = tf.data.Dataset.range(0, count - 1, batch_size).map(batch).prefetch(4)
    options = tf.data.Options()
    # The cores belong to the steps; one thread gathers a batch faster than a step uses it.
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    return dataset.with_options(options)


def steps_of_pass(rows: int, batch_size: int) -> int:
    """How many batches `in_order` makes."""
    return len(range(0, rows - 1, batch_size))


def in_file_order(data: Split | Rows, batch_size: int) -> "tf.data.Dataset":
    """Batches of (inputs, float32 one-hot labels), always the same."""
    rows = rows_of(data)
    inputs, one_hot = _tensor(rows.inputs), tf.one_hot(rows.labels, CLASSES)
    chosen = tf.constant(rows.chosen)

    @tf.autograph.experimental.do_not_convert
    def batch(start: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        numbers = chosen[start : start + batch_size]
        return tf.gather(inputs, numbers), tf.gather(one_hot, numbers)

    return tf.data.Dataset.range(0, len(rows), batch_size).map(batch)


def _tensor(array: npt.NDArray[Any]) -> "tf.Tensor":
    """The array as a tensor; one that is mapped from a file (mode c: TensorFlow takes no array that
    cannot be written) stays there, nothing is copied.
    """
    if isinstance(array, np.memmap) and array.flags.writeable:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)
