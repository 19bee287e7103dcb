"""Comparison of training histories."""

from fmnist import names
from fmnist.results.training import History


def rows_without_times(history: History) -> list[dict[str, float]]:
    """The metrics of each epoch except those that differ between equal runs."""
    times = {names.EPOCH_SECONDS, names.IMAGES_PER_SECOND}
    return [{k: v for k, v in row.items() if k not in times} for row in history.rows]
