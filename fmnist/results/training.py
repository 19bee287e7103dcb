"""Results of training as plain numbers and arrays, without Keras or MLflow objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist import names

CLASSES: Final = 10  # of Fashion-MNIST
MAX_CLASSES: Final = 100  # of other data

# A fold of a cross-validation: (repeat, fold), both starting at 1.
Key = tuple[int, int]


@dataclass(frozen=True)
class History:
    """Metrics of each epoch of one fit.

    Args:
        rows: for each epoch, values by metric name (see `fmnist.names`); all have the same names.
    """

    rows: tuple[Mapping[str, float], ...]

    def __post_init__(self) -> None:
        if not self.rows:
            raise ValueError("a history needs at least one epoch")
        if any(row.keys() != self.rows[0].keys() for row in self.rows):
            raise ValueError("every epoch of a history must have the same metrics")

    @property
    def epochs(self) -> int:
        return len(self.rows)

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(self.rows[0])

    def column(self, metric: str) -> tuple[float, ...]:
        """Values of one metric, one per epoch."""
        return tuple(row[metric] for row in self.rows)

    @property
    def best_epoch(self) -> int:
        """Epoch with the lowest validation loss, from 1; the last epoch without validation."""
        if names.VAL_LOSS not in self.rows[0]:
            return self.epochs
        return 1 + int(np.argmin(self.column(names.VAL_LOSS)))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions for labeled images, from which all scores are computed.

    Args:
        labels: (n,) int64, true classes, from 0.
        probabilities: (n, classes) float32, each row sums to 1.
    """

    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.labels)
        shape = self.probabilities.shape
        if self.labels.shape != (n,) or len(shape) != 2 or shape[0] != n or not n:
            raise ValueError(
                "expected labels (n,) and probabilities (n, classes), "
                f"got {self.labels.shape} and {shape}"
            )
        if self.labels.dtype != np.int64 or self.probabilities.dtype != np.float32:
            raise ValueError(
                f"expected int64 and float32, got {self.labels.dtype}, {self.probabilities.dtype}"
            )
        if self.labels.min() < 0 or self.labels.max() >= self.classes:
            raise ValueError(f"labels must lie in 0..{self.classes - 1}")
        if not np.allclose(self.probabilities.sum(axis=1), 1.0, atol=1e-3):
            raise ValueError("each row of probabilities must sum to 1")

    @property
    def classes(self) -> int:
        """Number of classes, including those without images."""
        return int(self.probabilities.shape[1])

    @cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """Most probable class of each image, (n,) int64."""
        predicted: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predicted


@dataclass(frozen=True, eq=False)
class FoldResult:
    """Result of one fold of a cross-validation.

    Args:
        repeat: number of the repetition, starting at 1.
        fold: number of the held-out fold, starting at 1.
        history: of the fit on the other folds.
        rows: (n,) int64, the held-out rows by their number in the training file.
        held_out: predictions for these rows, in this order.
        test: predictions for all test rows, which the reference report scored.
        seconds: duration of the fit and the predictions.
        peak_bytes: peak memory of the process so far.
        finished_at: seconds since 1970.
    """

    repeat: int
    fold: int
    history: History
    rows: npt.NDArray[np.int64]
    held_out: Evaluation
    test: Evaluation
    seconds: float
    peak_bytes: int
    finished_at: float

    @property
    def key(self) -> Key:
        return self.repeat, self.fold


@dataclass(frozen=True)
class FoldFailed:
    """A fold that could not be trained.

    Args:
        reason: type and message of the error, one line.
        traceback: empty if the process was lost.
    """

    repeat: int
    fold: int
    reason: str
    traceback: str

    @property
    def key(self) -> Key:
        return self.repeat, self.fold


@dataclass(frozen=True)
class StoredModel:
    """A trained model as read from the tracking store: its run, and its files by name.

    Args:
        model_id: of the logged model; empty if unknown.
        version: of the registered model; None if it is not registered.
        version_tags: tags of that version.
        problem: why the run could not be read, in which case the rest is empty; otherwise "".
    """

    run_id: str
    model_id: str
    version: int | None
    version_tags: Mapping[str, str]
    params: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Mapping[str, bytes]
    problem: str = ""

    @property
    def label(self) -> str:
        """Name of the model in messages."""
        return f"version {self.version}" if self.version else f"the model of run {self.run_id}"
