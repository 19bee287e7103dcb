"""What a search has tried, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fmnist.results.training import History


@dataclass(frozen=True)
class TrialResult:
    """One trial that has ended.

    Args:
        number: in the study, from 0.
        chosen: the options that it chose.
        score: on the validation rows; of a pruned trial what it had when it was given up, None if
            it had nothing.
        pruned: it was given up early.
        why: in words, where it was not the pruner who gave it up.
        history: what was measured in each epoch, or in each fold; None if nothing was.
        started: in seconds since 1970.
        ended: the same.
        run_id: the tracked run whose process did it.
    """

    number: int
    chosen: Mapping[str, Any]
    score: float | None
    pruned: bool
    why: str
    history: History | None
    started: float
    ended: float
    run_id: str


def best(trials: tuple[TrialResult, ...]) -> TrialResult | None:
    """The finished trial with the highest score, the first of several; None without one."""
    whole = [trial for trial in trials if not trial.pruned and trial.score is not None]
    return max(whole, key=lambda trial: (trial.score or 0.0, -trial.number), default=None)
