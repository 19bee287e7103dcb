"""From the files of a run back to values; stored files are checked here and trusted afterwards."""

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Final, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from fmnist import names
from fmnist.comparison.select import Candidate
from fmnist.evaluation import metrics, tables
from fmnist.options import Crossval
from fmnist.results.runs import FoundRun, LoggedCrossval, LoggedRun
from fmnist.results.training import CLASSES, Evaluation, History, Key

FILES: Final = (names.PREDICTIONS_TEST, names.TABLE_HISTORY, names.TABLE_PER_CLASS)
CROSSVAL_FILES: Final = (names.TABLE_FOLDS,)

_PROBABILITIES: Final = [f"p{label}" for label in range(CLASSES)]
_COLUMNS: Final = ["index", "label", "predicted", *_PROBABILITIES]
_EPOCH: Final = {names.TRAIN_LOSS, names.TRAIN_ACCURACY, names.EPOCH_SECONDS}
_ROUNDING: Final = 1e-6
T = TypeVar("T")

# What pandas and Arrow raise on bytes that are no table of theirs.
_UNREADABLE: Final = (KeyError, ValueError, TypeError, OSError, pa.ArrowException)


class Damaged(Exception):
    """A stored file is missing or does not hold what its run has written; says which and what."""


def logged_run(candidate: Candidate, files: Mapping[str, bytes]) -> LoggedRun:
    """The run that the files and the candidate are of.

    Raises:
        Damaged: a file is missing, cannot be read, or contradicts itself or the run's metrics.
    """
    found = candidate.found
    rows, test = _read(files, names.PREDICTIONS_TEST, _predictions)
    accuracy = metrics.accuracy(test)
    logged = found.metrics.get(names.TEST_ACCURACY, accuracy)
    if not abs(accuracy - logged) <= _ROUNDING:
        raise Damaged(
            f"{names.PREDICTIONS_TEST}: its rows have an accuracy of {accuracy:.4f}, the run has "
            f"logged {logged:.4f}"
        )
    return LoggedRun(
        run_id=found.run_id,
        name=found.name,
        link=found.link,
        started_at=found.started_at,
        options=candidate.options,
        tags=found.tags,
        metrics=found.metrics,
        history=_read(files, names.TABLE_HISTORY, _history),
        rows=rows,
        test=test,
    )


def class_names(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """What the run calls its classes, in label order.

    Raises:
        Damaged: its table of classes is missing or not of ten classes.
    """
    return _read(files, names.TABLE_PER_CLASS, _class_names)


def logged_crossval(
    found: FoundRun, options: Crossval, files: Mapping[str, bytes]
) -> LoggedCrossval:
    """The cross-validation that the files are of.

    Raises:
        Damaged: its table of folds is missing or not of the folds that were asked for.
    """
    accuracies = _read(files, names.TABLE_FOLDS, _folds)
    repeats, folds = range(1, options.repeats + 1), range(1, options.folds + 1)
    if list(accuracies) != (wanted := [(repeat, fold) for repeat in repeats for fold in folds]):
        raise Damaged(f"{names.TABLE_FOLDS}: wanted {len(wanted)} folds, got {len(accuracies)}")
    return LoggedCrossval(
        run_id=found.run_id,
        link=found.link,
        started_at=found.started_at,
        options=options,
        metrics=found.metrics,
        held_out=tuple(accuracies.values()),
    )


def _read(files: Mapping[str, bytes], name: str, parse: Callable[[bytes], T]) -> T:
    if name not in files:
        raise Damaged(f"{name}: missing")
    try:
        return parse(files[name])
    except _UNREADABLE as error:
        raise Damaged(f"{name}: {error}") from error


def _predictions(content: bytes) -> tuple[tables.Rows, Evaluation]:
    table = pd.read_parquet(BytesIO(content))
    if missing := [column for column in _COLUMNS if column not in table]:
        raise ValueError(f"wanted the columns {', '.join(_COLUMNS)}, got no {missing[0]}")
    if table[_COLUMNS].isna().any(axis=None):
        raise ValueError("values are missing (NaN)")
    if (table[_PROBABILITIES] < 0).any(axis=None):
        raise ValueError("a probability is below 0")
    rows, test = tables.read_predictions(content)
    if rows.min() < 0 or len(np.unique(rows)) != len(rows):
        raise ValueError("wanted each row of the test file at most once, got one again")
    if (test.predicted != table["predicted"].to_numpy()).any():
        raise ValueError("the predicted class of a row is not its most probable one")
    return rows, test


def _history(content: bytes) -> History:
    history = tables.read_history(content)
    if missing := _EPOCH - set(history.metrics):
        raise ValueError(f"wanted a column {min(missing)}, got none")
    if not np.isfinite([list(row.values()) for row in history.rows]).all():
        raise ValueError("values are missing (NaN)")
    return history


def _class_names(content: bytes) -> tuple[str, ...]:
    called = tuple(str(name) for name in pd.read_csv(BytesIO(content))["class"])
    if len(called) != CLASSES or len(set(called)) != CLASSES:
        raise ValueError(f"wanted {CLASSES} classes, got {len(set(called))}")
    return called


def _folds(content: bytes) -> dict[Key, float]:
    """The accuracy of each fold on the rows that its network has not seen, in their order."""
    table = pd.read_csv(BytesIO(content)).sort_values([names.REPEAT, names.FOLD])
    accuracies = table[names.FOLD_ACCURACY].to_numpy(np.float64)
    if not ((accuracies >= 0) & (accuracies <= 1)).all():
        raise ValueError("an accuracy is not within 0 to 1")
    keys = zip(table[names.REPEAT], table[names.FOLD], strict=True)
    return {
        (int(repeat), int(fold)): float(accuracy)
        for (repeat, fold), accuracy in zip(keys, accuracies, strict=True)
    }
