"""Which training rows to use: all, or those that neither repeat another nor show a test image."""

from dataclasses import dataclass

import numpy as np

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.data.duplicates import repeats
from fmnist.data.near_duplicates import near_duplicates
from fmnist.data.pixel_stats import components, moments
from fmnist.data.splits import stratified_subset
from fmnist.options.train import FitOptions
from fmnist.results.eda import Rows


@dataclass(frozen=True, eq=False)
class Kept:
    """The training rows to use.

    Args:
        rows: (m,) int64, sorted.
        counts: how many rows were dropped, in all and for which reason, by metric name; empty
            where nothing was asked for. A row with several reasons counts for the first of:
            repeats an earlier training row, equals a test row, nearly equals a test row.
    """

    rows: Rows
    counts: dict[str, float]


def training_rows(train: Split, test: Split, drop_duplicates: bool) -> Kept:
    """The rows of `train` that remain, every row unless duplicates are to be dropped.

    Of training rows with the same bytes the first remains, whatever their labels. The labels of
    the test rows are not looked at, and no test row is dropped.
    """
    everything = np.arange(len(train))
    if not drop_duplicates:
        return Kept(everything, {})
    exact = repeats(train, test)
    statistics = moments(train.images)
    near = everything[:0]
    if not statistics.constant.all():
        near = np.unique(near_duplicates(train, test, components(statistics)).train)
    leaked = np.setdiff1d(exact.leaked, exact.train)
    near = np.setdiff1d(near, np.union1d(exact.train, exact.leaked))
    dropped = np.concatenate([exact.train, leaked, near])
    return Kept(
        np.setdiff1d(everything, dropped),
        {
            names.DROPPED_ROWS: len(dropped),
            names.DROPPED_REPEATS: len(exact.train),
            names.DROPPED_TEST_COPIES: len(leaked),
            names.DROPPED_NEAR_TEST_COPIES: len(near),
        },
    )


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The training rows that a run uses.

    Args:
        split: images and labels of these rows.
        numbers: (n,) int64, sorted, the number of each row in the training file.
        dropped: number of dropped rows by metric name, see `Kept.counts`.
    """

    split: Split
    numbers: Rows
    dropped: dict[str, float]


def select_training_rows(options: FitOptions, train: Split, test: Split) -> TrainingRows:
    """Apply `drop_duplicates` and `train_size`; `train`, `tune` and `crossval` call this.

    Raises:
        BadInput: fewer rows remain than `train_size`, or a class has none.
    """
    kept = training_rows(train, test, options.drop_duplicates == "on")
    labels = train.labels[kept.rows]
    numbers = kept.rows[stratified_subset(labels, options.train_size, options.seed)]
    return TrainingRows(train.take(numbers), numbers, kept.counts)
