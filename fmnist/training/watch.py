"""What happens around each epoch of a fit: its random state, its metrics, the best weights."""

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
from fmnist.training import batches
from fmnist.training.progress import line

OnEpoch = Callable[[int, Mapping[str, float]], None]


class Randomness(keras.callbacks.Callback):
    """Sets what is random in an epoch from (seed, epoch) alone.

    Args:
        order: variable for the numbers of the rows, in the order of the epoch.
        drawn: variable for what alterations of batches follow from.
        chosen: (n,) int64, the numbers of the rows.
    """

    def __init__(
        self,
        order: "tf.Variable",
        drawn: "tf.Variable",
        chosen: npt.NDArray[np.int64],
        seed: int,
    ) -> None:
        super().__init__()
        self._order = order
        self._drawn = drawn
        self._chosen = chosen
        self._seed = seed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        order = batches.order_of_epoch(len(self._chosen), self._seed, epoch)
        self._order.assign(self._chosen[order])
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        drawn = np.random.SeedSequence([self._seed, epoch]).generate_state(len(states) + 1)
        for state, number in zip(states, drawn[:-1], strict=True):
            state.assign([number, 0])
        self._drawn.assign(drawn[-1])


class Watch(keras.callbacks.Callback):
    """Tells the metrics of each epoch, keeps the best weights, ends a fit that gets no better."""

    def __init__(
        self, images: int, epochs: int, keep: str, patience: int, on_epoch: OnEpoch
    ) -> None:
        super().__init__()
        self.rows: list[Mapping[str, float]] = []
        self._images = images
        self._epochs = epochs
        self._keep = keep
        self._patience = patience
        self._on_epoch = on_epoch
        self._best_loss = math.inf
        self._best_epoch = 0
        self._best_weights: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._check("training", logs["loss"], len(self.rows))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = time.perf_counter() - self._started
        row = {names.TRAIN_LOSS: logs["loss"], names.TRAIN_ACCURACY: logs["accuracy"]}
        if "val_loss" in logs:
            row |= {names.VAL_LOSS: logs["val_loss"], names.VAL_ACCURACY: logs["val_accuracy"]}
            self._check("validation", logs["val_loss"], epoch)
            if logs["val_loss"] < self._best_loss:
                self._best_loss, self._best_epoch = logs["val_loss"], epoch
                if self._keep == "best":
                    self._best_weights = self.model.get_weights()
            waited = epoch - self._best_epoch
            self.model.stop_training = bool(self._patience) and waited >= self._patience
        row |= {
            names.LEARNING_RATE: float(self.model.optimizer.learning_rate),
            names.EPOCH_SECONDS: seconds,
            names.IMAGES_PER_SECOND: self._images / seconds,
        }
        self.rows.append({name: float(value) for name, value in row.items()})
        print(line(epoch + 1, self._epochs, self.rows[-1]), flush=True)
        self._on_epoch(epoch + 1, self.rows[-1])

    def on_train_end(self, logs: Any = None) -> None:
        if self._best_weights:
            self.model.set_weights(self._best_weights)

    def _check(self, which: str, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise WorkFailed(
                f"the {which} loss became {loss} in epoch {epoch + 1}; try a smaller learning_rate"
            )
