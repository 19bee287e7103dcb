"""The frozen values that travel between rooms: plain numbers, no Keras and no MLflow object."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fmnist import names

CLASSES = 10

# A fold of a cross-validation: which division of the rows, and which part of it, from 1.
Key = tuple[int, int]


@dataclass(frozen=True)
class History:
    """What was measured in each epoch of one fit.

    Args:
        rows: one mapping an epoch, in order, from metric name (see `fmnist.names`) to its value;
            every row has the same names.
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
        """The values of one metric, first epoch first."""
        return tuple(row[metric] for row in self.rows)

    @property
    def best_epoch(self) -> int:
        """The epoch with the lowest validation loss, counted from 1; the last without one."""
        if names.VAL_LOSS not in self.rows[0]:
            return self.epochs
        return 1 + int(np.argmin(self.column(names.VAL_LOSS)))

    def to_json(self) -> str:
        return json.dumps([dict(row) for row in self.rows])

    @classmethod
    def from_json(cls, text: str) -> "History":
        return cls(tuple(json.loads(text)))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's answers on labeled images; every score is derived from these two arrays.

    Args:
        labels: (n,) int64, the true class of each image, 0 to 9.
        probabilities: (n, 10) float32, each row sums to 1.
    """

    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.labels)
        if self.labels.shape != (n,) or self.probabilities.shape != (n, CLASSES) or n == 0:
            raise ValueError(
                f"wanted labels (n,) and probabilities (n, {CLASSES}), "
                f"got {self.labels.shape} and {self.probabilities.shape}"
            )
        if self.labels.dtype != np.int64 or self.probabilities.dtype != np.float32:
            raise ValueError(
                f"wanted int64 and float32, got {self.labels.dtype} and {self.probabilities.dtype}"
            )
        if self.labels.min() < 0 or self.labels.max() >= CLASSES:
            raise ValueError(f"labels must lie in 0..{CLASSES - 1}")
        if not np.allclose(self.probabilities.sum(axis=1), 1.0, atol=1e-3):
            raise ValueError("each row of probabilities must sum to 1")

    @cached_property
    def predicted(self) -> npt.NDArray[np.int64]:
        """(n,) int64, the most probable class of each image."""
        predicted: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return predicted


@dataclass(frozen=True, eq=False)
class FoldResult:
    """What one fold of a cross-validation gave.

    Args:
        repeat: which division of the rows, counted from 1.
        fold: which part of it was held out, counted from 1.
        history: of the fit on the other parts.
        rows: (n,) int64, the held-out rows by their number in the training file.
        held_out: the answers on these rows, in this order: the honest score.
        test: the answers on all test rows, as the report scored its folds.
        seconds: of the whole fold: fit, scoring and what they need.
        peak_bytes: the most memory that the fold's process has held until then.
        finished_at: when it was done, in seconds since 1970.
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

    def __post_init__(self) -> None:
        if self.rows.shape != self.held_out.labels.shape or self.rows.dtype != np.int64:
            raise ValueError(
                f"wanted an int64 row number for each of {len(self.held_out.labels):,} held-out "
                f"answers, got {self.rows.dtype} {self.rows.shape}"
            )
        if self.repeat < 1 or self.fold < 1:
            raise ValueError(f"folds count from 1, got repeat {self.repeat}, fold {self.fold}")

    @property
    def key(self) -> Key:
        return self.repeat, self.fold


@dataclass(frozen=True)
class FoldFailed:
    """A fold that could not be trained, and why.

    Args:
        reason: one line: the kind of error and its message.
        traceback: where it happened, empty when the process itself was lost.
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
    """A trained model as the tracking store gives it back: what its run says, its files by name.

    Args:
        model_id: of the logged model, empty when it is not known.
        version: its number under the registered name, None when it is not registered.
        version_tags: what the registry says of that version.
        problem: why the run could not be read, empty when it was; the rest is empty then.
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
        """What messages call it."""
        return f"version {self.version}" if self.version else f"the model of run {self.run_id}"
