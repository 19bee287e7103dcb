"""Batches from arrays in memory; the order of the rows is a function of (seed, epoch)."""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fmnist.data.dataset import Split
from fmnist.data.splits import Rows
from fmnist.training.augmentation import Augment

PREDICTION_BATCH: Final = 1000

# Images (n, 28, 28) uint8 or features (n, d) float32, in memory or mapped from a file.
Inputs = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class DataSplits:
    """The rows of one training.

    Args:
        data: all training rows in use; the other arguments are row numbers of it.
        train_rows: (n,) int64, rows to fit.
        validation_rows: (m,) int64, rows to select the epoch with; m may be 0.
        test_images: (k, 28, 28) uint8.
        scored_rows: (j,) int64, rows to predict as well: validation rows, or a held-out fold.
        targets: (len(data), classes) float32, soft labels to fit; None for the labels.
    """

    data: Split
    train_rows: Rows
    validation_rows: Rows
    test_images: npt.NDArray[np.uint8]
    scored_rows: Rows = field(default_factory=lambda: np.arange(0))
    targets: npt.NDArray[np.float32] | None = None


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
    inputs: Inputs,
    splits: DataSplits,
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
    all_inputs, targets = _as_tensors(inputs, splits.data)
    if splits.targets is not None:
        targets = tf.constant(splits.targets)
    count = len(splits.train_rows)

    @tf.autograph.experimental.do_not_convert
    def batch(start: "tf.Tensor") -> "tuple[tf.Tensor, ...]":
        end = tf.where(start + batch_size < count - 1, start + batch_size, count)
        rows = order[start:end]
        pair = tf.gather(all_inputs, rows), tf.gather(targets, rows)
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


def prediction_batches(inputs: Inputs, data: Split, rows: Rows) -> "tf.data.Dataset":
    """Batches of (inputs, float32 one-hot labels) of the rows, in their order."""
    all_inputs, one_hot = _as_tensors(inputs, data)
    all_rows = tf.constant(rows)

    @tf.autograph.experimental.do_not_convert
    def batch(start: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
        batch_rows = all_rows[start : start + PREDICTION_BATCH]
        return tf.gather(all_inputs, batch_rows), tf.gather(one_hot, batch_rows)

    return tf.data.Dataset.range(0, len(rows), PREDICTION_BATCH).map(batch)


def _as_tensors(inputs: Inputs, data: Split) -> "tuple[tf.Tensor, tf.Tensor]":
    """Convert inputs and one-hot labels, without copying inputs that are mapped from a file.

    TensorFlow accepts only writable arrays, hence numpy's mode `c`.
    """
    one_hot = tf.one_hot(data.labels, data.classes)
    if isinstance(inputs, np.memmap) and inputs.flags.writeable:
        return tf.experimental.dlpack.from_dlpack(inputs.__dlpack__()), one_hot
    return tf.constant(inputs), one_hot
