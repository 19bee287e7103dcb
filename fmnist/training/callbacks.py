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
from fmnist.training import input_pipeline
from fmnist.training.progress import line

OnEpoch = Callable[[int, Mapping[str, float]], None]


class ReseedEachEpoch(keras.callbacks.Callback):
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
        order = input_pipeline.order_of_epoch(len(self._chosen), self._seed, epoch)
        self._order.assign(self._chosen[order])
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        drawn = np.random.SeedSequence([self._seed, epoch]).generate_state(len(states) + 1)
        for state, number in zip(states, drawn[:-1], strict=True):
            state.assign([number, 0])
        self._drawn.assign(drawn[-1])


class EpochEndCallback(keras.callbacks.Callback):
    """Tells what a watch measured in each epoch; to be called after it."""

    def __init__(self, watch: "EpochMonitor", on_epoch: OnEpoch) -> None:
        super().__init__()
        self._watch = watch
        self._on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._on_epoch(epoch + 1, self._watch.rows[-1])


class EpochMonitor(keras.callbacks.Callback):
    """Measures each epoch, keeps the best weights, ends a fit that gets no better.

    Attributes:
        rows: what was measured in each epoch so far.
        best_weights: of the epoch with the lowest validation loss so far, where they are kept.
    """

    def __init__(self, images: int, epochs: int, keep: str, patience: int) -> None:
        super().__init__()
        self.rows: list[Mapping[str, float]] = []
        self.best_weights: list[npt.NDArray[Any]] = []
        self._images = images
        self._epochs = epochs
        self._keep = keep
        self._patience = patience
        self._best_loss = math.inf
        self._best_epoch = 0

    @property
    def over(self) -> bool:
        """Whether no epoch is left to do."""
        waited = len(self.rows) - 1 - self._best_epoch
        given_up = math.isfinite(self._best_loss) and 0 < self._patience <= waited
        return given_up or len(self.rows) >= self._epochs

    def go_on(self, rows: list[Mapping[str, float]], best_weights: list[npt.NDArray[Any]]) -> None:
        """Stand as after the epochs that these are of."""
        self.rows, self.best_weights = list(rows), best_weights
        for epoch, row in enumerate(rows):
            self._is_best(epoch, row.get(names.VAL_LOSS, math.inf))

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
            if self._is_best(epoch, logs["val_loss"]) and self._keep == "best":
                self.best_weights = self.model.get_weights()
        row |= {
            names.LEARNING_RATE: float(self.model.optimizer.learning_rate),
            names.EPOCH_SECONDS: seconds,
            names.IMAGES_PER_SECOND: self._images / seconds,
        }
        self.rows.append({name: float(value) for name, value in row.items()})
        self.model.stop_training = self.over
        print(line(epoch + 1, self._epochs, self.rows[-1]), flush=True)

    def on_train_end(self, logs: Any = None) -> None:
        if self.best_weights:
            self.model.set_weights(self.best_weights)

    def _is_best(self, epoch: int, loss: float) -> bool:
        """Whether the loss is lower than any before; it is the one to be beaten then."""
        if loss >= self._best_loss:
            return False
        self._best_loss, self._best_epoch = loss, epoch
        return True

    def _check(self, which: str, loss: float, epoch: int) -> None:
        if not math.isfinite(loss):
            raise WorkFailed(
                f"the {which} loss became {loss} in epoch {epoch + 1}; try a smaller learning_rate"
            )
