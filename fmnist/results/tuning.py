"""The result of a trial of `tune`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fmnist.results.training import History


@dataclass(frozen=True)
class TrialResult:
    """A complete or pruned trial.

    Args:
        number: in its study, from 0.
        chosen: the values of the options that were searched.
        score: validation accuracy; of a pruned trial its last value, or None without any.
        reason: why the trial was pruned, if not by the pruner.
        history: metrics of each epoch or fold; None if there are none.
        started, ended: seconds since 1970.
        run_id: the tracking run of the process that ran it.
    """

    number: int
    chosen: Mapping[str, Any]
    score: float | None
    pruned: bool
    reason: str
    history: History | None
    started: float
    ended: float
    run_id: str


def best_trial(trials: Iterable[TrialResult]) -> TrialResult | None:
    """Return the complete trial with the highest score, the first of several; None without one."""
    complete = [trial for trial in trials if not trial.pruned and trial.score is not None]
    return max(complete, key=lambda trial: (trial.score or 0.0, -trial.number), default=None)
