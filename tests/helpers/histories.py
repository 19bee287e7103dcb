"""Data of a fit, and comparison of training histories."""

import numpy as np

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.results.training import History
from fmnist.training.input_pipeline import DataSplits, Inputs


def join_splits(train: Split, validation: Split | None) -> tuple[Inputs, DataSplits]:
    """Images and rows of a fit on all rows of one split, validated on all rows of another."""
    parts = [train, validation] if validation else [train]
    data = Split(*(np.concatenate([getattr(p, k) for p in parts]) for k in ("images", "labels")))
    rows = np.arange(len(data))
    return data.images, DataSplits(data, rows[: len(train)], rows[len(train) :], data.images)


def rows_without_times(history: History) -> list[dict[str, float]]:
    """The metrics of each epoch except those that differ between equal runs."""
    times = {names.EPOCH_SECONDS, names.IMAGES_PER_SECOND}
    return [{k: v for k, v in row.items() if k not in times} for row in history.rows]
