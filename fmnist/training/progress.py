"""What a person sees of a fit: a bar within each epoch on a terminal, a plain line after it."""

from collections.abc import Mapping
from typing import Any

import keras
from tqdm import tqdm


class Bar(keras.callbacks.Callback):
    """A bar on standard error that fills as an epoch goes and is wiped at its end.

    Only on a terminal. (Keras's own bar runs over its end when a call makes many steps.)
    """

    def __init__(self, rows: int, batch_size: int, epochs: int) -> None:
        super().__init__()
        self._rows = rows
        self._batch_size = batch_size
        self._epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._bar = tqdm(
            total=self._rows,
            desc=f"epoch {epoch + 1}/{self._epochs}",
            unit=" images",
            unit_scale=True,
            leave=False,
            disable=None,  # draws on a terminal only
        )

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        done = min((batch + 1) * self._batch_size, self._rows)
        self._bar.update(done - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._bar.close()


def line(epoch: int, epochs: int, metrics: Mapping[str, float]) -> str:
    """One line on an epoch, counted from 1, and its metrics."""
    numbers = "  ".join(f"{name} {_short(value)}" for name, value in metrics.items())
    return f"epoch {epoch}/{epochs}  {numbers}"


def _short(value: float) -> str:
    return f"{value:.4g}" if value < 1000 else f"{value:,.0f}"
