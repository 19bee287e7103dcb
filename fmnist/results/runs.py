"""Runs as the tracking store gives them back: plain values, read options in their types."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fmnist.options import Crossval, Train
from fmnist.results.training import Evaluation, History


@dataclass(frozen=True, eq=False)
class FoundRun:
    """What the tracking store says of a run before any of its files is read.

    Args:
        kind: what the run is, see `names.TAG_KIND`; `foreign` when it is none of ours.
        link: its page in the tracking UI, None when the store is not a server.
        status: as MLflow calls it, such as `FINISHED`.
        done: whether its work is done; a drift alarm is told after the work.
        started_at: seconds since 1970.
        parameters: what was logged, without the quotes that `mlflow run` adds for the shell.
        model_id: of the model that it has logged, if it has.
        ended_at: seconds since 1970, 0 while it is open.
        resumable: whether it is unfinished and no process works on it.
    """

    run_id: str
    name: str
    kind: str
    link: str | None
    status: str
    done: bool
    started_at: float
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    model_id: str | None
    ended_at: float = 0.0
    resumable: bool = False


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
