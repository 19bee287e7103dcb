"""Stratified subsets, validation splits and folds: functions of the labels and a seed."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fmnist.errors import BadInput
from fmnist.results.training import Key

Rows = npt.NDArray[np.int64]
Labels = npt.NDArray[np.uint8]


class Fold(NamedTuple):
    """One fold of one repetition of a cross-validation; both counts start at 1."""

    repeat: int
    fold: int
    train: Rows  # sorted, to fit
    held_out: Rows  # sorted, of this fold, used to score the model
    validation: Rows = np.arange(0)  # sorted, to select the epoch with

    @property
    def key(self) -> Key:
        return self.repeat, self.fold

    def split_validation(self, labels: Labels, fraction: float, seed: int) -> "Fold":
        """Use a fraction of the training rows for validation, see `validation_split`."""
        train, validation = validation_split(labels[self.train], fraction, seed)
        return self._replace(train=self.train[train], validation=self.train[validation])


def validation_split(labels: Labels, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Split all rows into sorted training and validation rows, stratified by class.

    Args:
        labels: (n,), the class of each row.
        fraction: fraction of the rows used for validation, 0 <= fraction < 1.

    Raises:
        BadInput: a class would have no training row or no validation row.
    """
    all_rows = np.arange(len(labels))
    if fraction == 0:
        return all_rows, all_rows[:0]
    validation = _draw_stratified(labels, round(fraction * len(labels)), seed)
    train = np.setdiff1d(all_rows, validation, assume_unique=True)
    fix = "use more training rows or another validation fraction"
    _require_all_classes(labels, validation, f"the validation rows (fraction {fraction})", fix)
    _require_all_classes(labels, train, f"the training rows (validation fraction {fraction})", fix)
    return train, validation


def stratified_folds(labels: Labels, folds: int, repeats: int, seed: int) -> tuple[Fold, ...]:
    """Split all rows into `folds` stratified folds, `repeats` times.

    The folds of one repetition do not depend on the number of repetitions. For one seed, they
    equal those of scikit-learn's `StratifiedKFold(folds, shuffle=True)`.

    Raises:
        BadInput: a class has fewer rows than there are folds.
    """
    classes, first_rows, counts = np.unique(labels, return_index=True, return_counts=True)
    if counts.min() < folds:
        raise BadInput(
            f"folds: expected 2 to {counts.min():,}, got {folds:,}: class "
            f"{classes[counts.argmin()]} has {counts.min():,} of {len(labels):,} rows and needs "
            "one in every fold; use fewer folds or more training rows"
        )
    by_appearance = first_rows.argsort()
    # Deal the rows, grouped by class, to the folds in turn: counts differ by at most one.
    dealt = np.split(np.arange(len(labels)) % folds, np.cumsum(counts[by_appearance])[:-1])
    result = []
    for repeat in range(1, repeats + 1):
        state = int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0])
        rng = np.random.RandomState(state)
        fold_of_row = np.empty(len(labels), np.int64)
        for label, fold_numbers in zip(classes[by_appearance], dealt, strict=True):
            shuffled = np.sort(fold_numbers)
            rng.shuffle(shuffled)
            fold_of_row[labels == label] = shuffled
        result += [
            Fold(repeat, k + 1, np.flatnonzero(fold_of_row != k), np.flatnonzero(fold_of_row == k))
            for k in range(folds)
        ]
    return tuple(result)


def scored_splits(labels: Labels, folds: int, fraction: float, seed: int) -> tuple[Fold, ...]:
    """Return the trainings that score one configuration: a single one, or one for each fold.

    Args:
        folds: 0 to hold out the validation rows, which also select the epoch; otherwise the number
            of folds.
        fraction: fraction of the rows used for validation, see `validation_split`.

    Raises:
        BadInput: a class has too few rows.
    """
    if not folds:
        train, validation = validation_split(labels, fraction, seed)
        return (Fold(1, 1, train, validation, validation),)
    return tuple(
        fold.split_validation(labels, fraction, seed)
        for fold in stratified_folds(labels, folds, 1, seed)
    )


def stratified_subset(labels: Labels, size: int, seed: int) -> Rows:
    """Draw `size` sorted rows that keep the class proportions; 0 for all rows.

    Raises:
        BadInput: there are fewer than `size` rows, or a class would have none.
    """
    if size > len(labels):
        raise BadInput(f"train size: expected 1 to {len(labels):,} rows or 0, got {size:,}")
    if size in (0, len(labels)):
        return np.arange(len(labels))
    rows = _draw_stratified(labels, size, seed)
    _require_all_classes(labels, rows, f"a training set of {size:,} rows", "use a larger one")
    return rows


def _draw_stratified(labels: Labels, size: int, seed: int) -> Rows:
    """Draw the rows that scikit-learn's `resample(..., replace=False, stratify=labels)` draws.

    scikit-learn takes three seconds to import. Drawing the same rows keeps earlier results
    reproducible, which is why this uses NumPy's legacy generator.
    """
    rng = np.random.RandomState(seed)
    _, class_index, counts = np.unique(labels, return_inverse=True, return_counts=True)
    exact = counts / counts.sum() * size
    drawn = np.floor(exact)
    remainder = exact - drawn
    missing = int(size - drawn.sum())
    # Classes with the largest remainder get one more row; ties are broken at random.
    for value in np.unique(remainder)[::-1]:
        if missing == 0:
            break
        tied = np.flatnonzero(remainder == value)
        chosen = rng.choice(tied, size=min(len(tied), missing), replace=False)
        drawn[chosen] += 1
        missing -= len(chosen)
    rows = [
        rng.choice(np.flatnonzero(class_index == index), int(count), replace=False)
        for index, count in enumerate(drawn)
    ]
    return np.sort(np.concatenate(rows)).astype(np.int64)


def _require_all_classes(labels: Labels, rows: Rows, purpose: str, fix: str) -> None:
    missing = np.setdiff1d(labels, labels[rows])
    if missing.size:
        count = int(np.count_nonzero(labels == missing[0]))
        raise BadInput(
            f"expected every class in {purpose}, got none of class {missing[0]}, which has "
            f"{count:,} of {len(labels):,} rows; {fix}"
        )
