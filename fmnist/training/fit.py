"""Fitting one model: `keras.Model.fit`, fed from memory, many steps a call."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import keras
import numpy as np
import tensorflow as tf

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.errors import WorkFailed
from fmnist.results import History
from fmnist.training import batches
from fmnist.training.halves import SideBySide
from fmnist.training.predict import PREDICTION_BATCH
from fmnist.training.progress import Bar, line

OnEpoch = Callable[[int, Mapping[str, float]], None]

# A call from Python costs about as much as a step, and a signal waits for the call to end.
STEPS_PER_CALL: Final = 64


def fit(
    model: keras.Model,
    train: Split,
    validation: Split | None,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    keep: Literal["best", "last"],
    on_epoch: OnEpoch,
) -> History:
    """What each epoch measured; the model is left with the weights that `keep` asks for.

    Adam on the categorical cross-entropy. The order of the rows and all dropout masks follow from
    (seed, epoch): the same seed on the same machine gives the same history and weights.

    Args:
        validation: rows to choose the best epoch by; None only with keep="last".
        on_epoch: called after each epoch with its number, counted from 1, and its metrics.

    Raises:
        WorkFailed: the loss is no longer a finite number.
    """
    trainer = SideBySide(model.input, model.output)
    trainer.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=STEPS_PER_CALL,
        jit_compile=False,  # XLA on a CPU made training 3 to 4 times slower
    )
    order = tf.Variable(tf.range(len(train.labels), dtype=tf.int64), trainable=False)
    watch = _Watch(order, epochs, seed, keep, on_epoch)
    trainer.fit(
        batches.in_order(train, batch_size, order),
        validation_data=validation and batches.in_file_order(validation, PREDICTION_BATCH),
        epochs=epochs,
        shuffle=False,  # the order is the data set's own
        callbacks=[Bar(len(train), batch_size, epochs), watch],
        verbose=0,
    )
    return History(tuple(watch.rows))


class _Watch(keras.callbacks.Callback):
    """Sets the random state of each epoch, tells its metrics, keeps the best weights."""

    def __init__(
        self, order: "tf.Variable", epochs: int, seed: int, keep: str, on_epoch: OnEpoch
    ) -> None:
        super().__init__()
        self.rows: list[Mapping[str, float]] = []
        self._order = order
        self._images = int(order.shape[0])
        self._epochs = epochs
        self._seed = seed
        self._keep = keep
        self._on_epoch = on_epoch
        self._best_loss = math.inf
        self._best_weights: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._order.assign(batches.order_of_epoch(self._images, self._seed, epoch))
        states = [v for v in self.model.variables if v.name == "seed_generator_state"]
        drawn = np.random.SeedSequence([self._seed, epoch]).generate_state(len(states))
        for state, number in zip(states, drawn, strict=True):
            state.assign([number, 0])
        self._started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._check("training", logs["loss"], len(self.rows))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = time.perf_counter() - self._started
        row = {names.TRAIN_LOSS: logs["loss"], names.TRAIN_ACCURACY: logs["accuracy"]}
        if "val_loss" in logs:
            row |= {names.VAL_LOSS: logs["val_loss"], names.VAL_ACCURACY: logs["val_accuracy"]}
            self._check("validation", logs["val_loss"], epoch)
            if self._keep == "best" and logs["val_loss"] < self._best_loss:
                self._best_loss = logs["val_loss"]
                self._best_weights = self.model.get_weights()
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
