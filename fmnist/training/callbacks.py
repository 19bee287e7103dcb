"""Keras callbacks: seeding, metrics, best weights and early stopping."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from fmnist import names
from fmnist.errors import WorkFailed
from fmnist.results.training import History
from fmnist.training.input_pipeline import epoch_order

OnEpoch = Callable[[int, Mapping[str, float]], None]


class ReseedEachEpoch(keras.callbacks.Callback):
    """Set everything random in an epoch from (seed, epoch), so that resuming is exact.

    Args:
        order: (n,) int64 variable, set to the row numbers in the order of the epoch.
        epoch_seed: () int64 variable, set to the seed of the augmentation.
        rows: (n,) int64, the rows to fit.
    """

    def __init__(
        self,
        order: "tf.Variable",
        epoch_seed: "tf.Variable",
        rows: npt.NDArray[np.int64],
        seed: int,
    ) -> None:
        super().__init__()
        self._order, self._epoch_seed = order, epoch_seed
        self._rows, self._seed = rows, seed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._order.assign(self._rows[epoch_order(len(self._rows), self._seed, epoch)])
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        seeds = np.random.SeedSequence([self._seed, epoch]).generate_state(len(states) + 1)
        for state, seed in zip(states, seeds[:-1], strict=True):
            state.assign([seed, 0])
        self._epoch_seed.assign(seeds[-1])


class EpochMonitor(keras.callbacks.Callback):
    """Record the metrics of each epoch, keep the best weights, stop early.

    Args:
        images: number of images in an epoch.

    Attributes:
        rows: metrics of each epoch so far.
        best_weights: weights of the epoch with the lowest validation loss, if `keep` is `best`.
    """

    def __init__(self, images: int, epochs: int, keep: str, patience: int) -> None:
        super().__init__()
        self.rows: list[Mapping[str, float]] = []
        self.best_weights: list[npt.NDArray[Any]] = []
        self._images, self._epochs, self._keep, self._patience = images, epochs, keep, patience

    @property
    def is_finished(self) -> bool:
        waited = len(self.rows) - self._best_epoch
        return 0 < self._patience <= waited or len(self.rows) >= self._epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        _check_finite("training", logs["loss"], len(self.rows))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = time.perf_counter() - self._started
        row = {names.TRAIN_LOSS: logs["loss"], names.TRAIN_ACCURACY: logs["accuracy"]}
        if "val_loss" in logs:
            row |= {names.VAL_LOSS: logs["val_loss"], names.VAL_ACCURACY: logs["val_accuracy"]}
            _check_finite("validation", logs["val_loss"], epoch)
        row |= {
            names.LEARNING_RATE: self.model.optimizer.learning_rate,
            names.EPOCH_SECONDS: seconds,
            names.IMAGES_PER_SECOND: self._images / seconds,
        }
        self.rows.append({name: float(value) for name, value in row.items()})
        if self._keep == "best" and self._best_epoch == len(self.rows):
            self.best_weights = self.model.get_weights()
        self.model.stop_training = self.is_finished
        print(format_epoch(epoch + 1, self._epochs, self.rows[-1]), flush=True)

    def on_train_end(self, logs: Any = None) -> None:
        if self.best_weights:
            self.model.set_weights(self.best_weights)

    @property
    def _best_epoch(self) -> int:
        return History(tuple(self.rows)).best_epoch if self.rows else 0


def _check_finite(kind: str, loss: float, epoch: int) -> None:
    if not math.isfinite(loss):
        raise WorkFailed(
            f"the {kind} loss became {loss} in epoch {epoch + 1}; try a smaller learning_rate"
        )


def format_epoch(epoch: int, epochs: int, metrics: Mapping[str, float]) -> str:
    """Format the metrics of an epoch in one line of at most 79 columns."""
    loss, accuracy = metrics[names.TRAIN_LOSS], metrics[names.TRAIN_ACCURACY]
    parts = [f"epoch {epoch}/{epochs}", f"loss {_format_loss(loss)}, accuracy {accuracy:.4f}"]
    if names.VAL_LOSS in metrics:
        loss, accuracy = metrics[names.VAL_LOSS], metrics[names.VAL_ACCURACY]
        parts.append(f"validation {_format_loss(loss)}, {accuracy:.4f}")
    seconds = metrics[names.EPOCH_SECONDS]
    return "  ".join([*parts, f"{seconds:.{1 if seconds < 100 else 0}f} s"])


def _format_loss(loss: float) -> str:
    return f"{loss:.0e}" if loss >= 100 else f"{loss:.3f}"[:5]
