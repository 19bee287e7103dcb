"""The nested runs of a search: one a trial, written by the parent."""

from collections.abc import Iterable, Mapping

from fmnist import names
from fmnist.results.tuning import TrialResult
from fmnist.tracking import search
from fmnist.tracking.owner import this_process
from fmnist.tracking.run import Measured, Run


def log_trial(
    parent: Run, trial: TrialResult, params: Mapping[str, str], tags: Mapping[str, str]
) -> None:
    """Store a trial as a nested run, with what it measured at about the time when it did.

    Args:
        params: its options as text.
        tags: of the parent, that it bears too.
    """
    state = "pruned" if trial.pruned else "complete"
    more = {names.TAG_KIND: "trial", names.TAG_PROCESS: this_process()}
    child = parent.nested(
        f"trial {trial.number}",
        {**params, names.TRIAL: str(trial.number)},
        {**tags, **more, names.TAG_TRIAL_STATE: state, names.TAG_NOTE: trial.why},
        int(1000 * trial.started),
    )
    child.log_measured(_measured(trial))
    child.end("FINISHED", int(1000 * trial.ended))


def logged_trials(parent: Run) -> set[int]:
    """The numbers of the trials that the run has."""
    runs = search.nested(parent.run_id, "trial")
    return {int(run.data.params[names.TRIAL]) for run in runs}


def _measured(trial: TrialResult) -> Iterable[Measured]:
    rows = trial.history.rows if trial.history else ()
    step_seconds = (trial.ended - trial.started) / max(len(rows), 1)
    for step, row in enumerate(rows, start=1):
        at = int(1000 * (trial.started + step * step_seconds))
        yield from ((name, value, at, step) for name, value in row.items())
    if trial.score is not None:
        yield names.TRIAL_SCORE, trial.score, int(1000 * trial.ended), 0
