"""Finished runs as the tracking store gives them back: plain values, options in their types."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist.options import Crossval, Train
from fmnist.results import Evaluation, History


@dataclass(frozen=True, eq=False)
class LoggedRun:
    """A finished run of `train` as the tracking store gives it back.

    Args:
        link: its page in the tracking UI, None when the store is not a server.
        started_at: seconds since 1970.
        rows: (n,) int64, the test rows that were answered, by their number in the test file.
        test: the answers on these rows, in this order.
    """

    run_id: str
    name: str
    link: str | None
    started_at: float
    options: Train
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    history: History
    rows: npt.NDArray[np.int64]
    test: Evaluation


@dataclass(frozen=True, eq=False)
class LoggedCrossval:
    """A finished run of `crossval` as the tracking store gives it back.

    Args:
        held_out: accuracy of each fold on the rows it has not seen, by (repeat, fold).
    """

    run_id: str
    link: str | None
    started_at: float
    options: Crossval
    metrics: Mapping[str, float]
    held_out: tuple[float, ...]
