"""Which rows are fitted and which are chosen by: functions of labels and a seed alone."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist.errors import BadInput
from fmnist.results.training import Key

Rows = npt.NDArray[np.int64]


class Fold(NamedTuple):
    """One division of all rows: `rest` to learn from and `held_out` to be scored on, both sorted.

    `repeat` and `fold` are counted from 1.
    """

    repeat: int
    fold: int
    rest: Rows
    held_out: Rows

    @property
    def key(self) -> Key:
        return self.repeat, self.fold


def hold_out(labels: npt.NDArray[np.uint8], fraction: float, seed: int) -> tuple[Rows, Rows]:
    """The rows to fit and the rows to validate on: two sorted int64 arrays that share all rows.

    Each class has the same share in both, to within one row.

    Args:
        labels: (n,), the class of each row.
        fraction: how much of the rows to validate on, 0 <= fraction < 1; 0 for none.
        seed: chooses the rows; the same labels, fraction and seed give the same rows.

    Raises:
        BadInput: a class would have no row to fit or none to validate on.
    """
    if not 0 <= fraction < 1:
        raise BadInput(f"validation fraction: wanted a number from 0 to below 1, got {fraction}")
    everything = np.arange(len(labels))
    if fraction == 0:
        return everything, everything[:0]
    validation = _draw(labels, round(fraction * len(labels)), seed)
    fit = np.setdiff1d(everything, validation, assume_unique=True)
    remedy = "use more training rows or another validation fraction"
    _need_every_class(labels, validation, f"to validate on (fraction {fraction})", remedy)
    _need_every_class(labels, fit, f"to fit (validation fraction {fraction})", remedy)
    return fit, validation


def stratified_folds(
    labels: npt.NDArray[np.uint8], folds: int, repeats: int, seed: int
) -> tuple[Fold, ...]:
    """`folds` divisions for each of `repeats`; within a repeat every row is held out once.

    Each class has the same share in every fold, to within one row.

    Args:
        labels: (n,), the class of each row.
        seed: chooses the rows; a repeat's division does not depend on how many repeats there are.

    Raises:
        BadInput: a class has fewer rows than there are folds.
    """
    classes, counts = np.unique(labels, return_counts=True)
    if folds < 2 or counts.min() < folds:
        raise BadInput(
            f"folds: wanted 2 to {counts.min():,}, got {folds:,}: class {classes[counts.argmin()]} "
            f"has {counts.min():,} of {len(labels):,} rows and needs one in every fold; use fewer "
            "folds or more training rows"
        )
    from sklearn.model_selection import StratifiedKFold  # A second to import, for one call.

    divisions = []
    for repeat in range(1, repeats + 1):
        state = int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])
        parts = StratifiedKFold(folds, shuffle=True, random_state=state).split(labels, labels)
        divisions += [
            Fold(repeat, fold, np.sort(rest), np.sort(held_out))
            for fold, (rest, held_out) in enumerate(parts, start=1)
        ]
    return tuple(divisions)


class Scored(NamedTuple):
    """The rows of one training whose model is scored: three sorted int64 arrays.

    Args:
        fitted: to fit to.
        choosing: to choose the epoch by; may be the scored ones, or none.
        scored: to score on; none of them is fitted.
    """

    fitted: Rows
    choosing: Rows
    scored: Rows


def scored_parts(
    labels: npt.NDArray[np.uint8], folds: int, fraction: float, seed: int
) -> tuple[Scored, ...]:
    """The trainings by which options are compared: one, or one a fold.

    Args:
        folds: 0 to score on the rows held out, which choose the epoch too; or how many folds,
            each scored once, the epoch chosen on a part of the others.
        fraction: how much to choose the epoch by, see `hold_out`.

    Raises:
        BadInput: a class has too few rows.
    """
    if not folds:
        fitted, held_out = hold_out(labels, fraction, seed)
        return (Scored(fitted, held_out, held_out),)
    parts = []
    for fold in stratified_folds(labels, folds, 1, seed):
        inside = hold_out(labels[fold.rest], fraction, seed)
        parts.append(Scored(fold.rest[inside[0]], fold.rest[inside[1]], fold.held_out))
    return tuple(parts)


def subset(labels: npt.NDArray[np.uint8], rows: int, seed: int) -> Rows:
    """The rows of a smaller training set: (rows,) int64, sorted, each class with its share.

    Args:
        labels: (n,), the class of each row.
        rows: how many, 0 for all.
        seed: chooses the rows; the same labels, number and seed give the same rows.

    Raises:
        BadInput: there are fewer rows than asked for, or a class would have none.
    """
    if not 0 <= rows <= len(labels):
        raise BadInput(f"train size: wanted 1 to {len(labels):,} rows or 0 for all, got {rows:,}")
    if rows in (0, len(labels)):
        return np.arange(len(labels))
    chosen = _draw(labels, rows, seed)
    _need_every_class(labels, chosen, f"in a training set of {rows:,}", "use a larger train size")
    return chosen


def _draw(labels: npt.NDArray[np.uint8], rows: int, seed: int) -> Rows:
    from sklearn.utils import resample  # A second to import, for one call.

    everything = np.arange(len(labels))
    if rows == 0:  # What resample would call a wrong parameter.
        return everything[:0]
    drawn = resample(everything, replace=False, n_samples=rows, random_state=seed, stratify=labels)
    return np.sort(np.asarray(drawn, dtype=np.int64))


def _need_every_class(labels: npt.NDArray[np.uint8], rows: Rows, purpose: str, remedy: str) -> None:
    missing = np.setdiff1d(labels, labels[rows])
    if missing.size:
        of_it = int(np.count_nonzero(labels == missing[0]))
        raise BadInput(
            f"wanted a row of every class {purpose}, got none of class {missing[0]}, "
            f"which has {of_it:,} of {len(labels):,} rows; {remedy}"
        )
