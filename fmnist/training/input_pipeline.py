"""Batches from arrays in memory; the order of the rows is a function of (seed, epoch)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fmnist.data.dataset import Split
from fmnist.training.augmentation import Augment

PREDICTION_BATCH: Final = 1000


@dataclass(frozen=True, eq=False)
class Examples:
    """Selected rows of model inputs with their labels; selecting copies nothing.

    Args:
        inputs: (m, ...) uint8 images or float32 features, in memory or mapped from a file.
        labels: (m,) uint8.
        rows: (n,) int64, the selected rows.
        classes: number of classes.
        targets: (m, classes) float32, soft labels to fit; None for one-hot labels.
    """

    inputs: npt.NDArray[Any]
    labels: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]
    classes: int
    targets: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of_split(cls, split: Split) -> "Examples":
        """All rows of a split."""
        return cls(split.images, split.labels, np.arange(len(split)), split.classes)


def balanced_class_weights(labels: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.float32]:
    """Weights inversely proportional to the number of rows, (classes,) float32.

    Their mean over the rows is 1; 0 for a class without rows. Those of scikit-learn's
    `compute_class_weight("balanced")`.
    """
    counts = np.bincount(labels, minlength=classes)
    weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts, weights, 0).astype(np.float32)


def epoch_order(rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Permutation of the rows for one epoch, (rows,) int64.

    Keras's own shuffling repeats the same order in every epoch if it is seeded.
    """
    return np.random.default_rng([seed, epoch]).permutation(rows)


def training_batches(
    examples: Examples,
    batch_size: int,
    order: "tf.Variable",
    augment: Augment | None = None,
    class_weights: npt.NDArray[np.float32] | None = None,
) -> "tf.data.Dataset":
    """Batches of (inputs, float32 targets) in the order of the variable, and perhaps weights.


    The last batch of an epoch is smaller if the rows do not divide evenly. A single remaining row
    joins the previous batch, because `MicrobatchModel` splits each batch in two.

    Args:
        batch_size: at least 2, like the number of rows.
        order: (n,) int64 row numbers, read again at the start of each epoch.
        class_weights: (classes,) float32; the weight of a row is the mean over its targets, which
            may be soft. None for batches without weights.
    """
    inputs, targets = _as_tensor(examples.inputs), tf.one_hot(examples.labels, examples.classes)
    if examples.targets is not None:
        targets = tf.constant(examples.targets)
    count = len(examples)

    @tf.autograph.experimental.do_not_convert
    def batch(start: "tf.Tensor") -> "tuple[tf.Tensor, ...]":
        end = tf.where(start + batch_size < count - 1, start + batch_size, count)
        rows = order[start:end]
        pair = tf.gather(inputs, rows), tf.gather(targets, rows)
        if augment:
            pair = augment(*pair, start // batch_size)
        if class_weights is None:
            return pair
        return *pair, tf.linalg.matvec(pair[1], class_weights)

    dataset = tf.data.Dataset.range(0, count - 1, batch_size).map(batch).prefetch(4)
    options = tf.data.Options()
    # One thread gathers batches faster than the training steps use them; the cores are for those.
    options.threading.private_threadpool_size = 1
    options.autotune.enabled = False
    return dataset.with_options(options)


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Number of batches of `training_batches`."""
    return len(range(0, rows - 1, batch_size))


def prediction_batches(examples: Examples) -> "tf.data.Dataset":
    """Batches of (inputs, float32 one-hot labels) in the order of `examples.rows`."""
    inputs, one_hot = _as_tensor(examples.inputs), tf.one_hot(examples.labels, examples.classes)
    all_rows = tf.constant(examples.rows)

    @tf.autograph.experimental.do_not_convert
    def batch(start: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        rows = all_rows[start : start + PREDICTION_BATCH]
        return tf.gather(inputs, rows), tf.gather(one_hot, rows)

    return tf.data.Dataset.range(0, len(examples), PREDICTION_BATCH).map(batch)


def _as_tensor(array: npt.NDArray[Any]) -> "tf.Tensor":
    """Convert to a tensor without copying an array that is mapped from a file.

    TensorFlow accepts only writable arrays, hence numpy's mode `c`.
    """
    if isinstance(array, np.memmap) and array.flags.writeable:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)
