"""The nested runs of a cross-validation: one a fold, written by the parent, read to resume."""

from collections.abc import Iterator, Mapping
from typing import Final

from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.results.training import FoldFailed, FoldResult, StoredFold
from fmnist.system.signals import signals_deferred
from fmnist.tracking.owner import this_process
from fmnist.tracking.run import PARENT_TAG, Measured, Run

_TAG_LENGTH: Final = 500


def log_fold(
    parent: Run,
    result: FoldResult | FoldFailed,
    params: Mapping[str, str],
    tags: Mapping[str, str],
    name: str,
    metrics: Mapping[str, float],
    files: Mapping[str, bytes],
) -> None:
    """Store a fold as a nested run, whole; it is FINISHED only when all of it is stored.

    A fold that could not be trained becomes a FAILED run with its reason.
    """
    told = {**params, names.REPEAT: str(result.repeat), names.FOLD: str(result.fold)}
    tags = {**tags, names.TAG_KIND: "fold", names.TAG_PROCESS: this_process()}
    with signals_deferred():  # or a fold could be left open
        if isinstance(result, FoldFailed):
            child = parent.nested(name, told, tags)
            child.log_files(files)
            _end(child, "FAILED", result.reason)
            return
        ended = int(1000 * result.finished_at)
        child = parent.nested(name, told, tags, ended - int(1000 * result.seconds))
        try:
            child.log_measured(_history(result, ended))
            child.log_summary(metrics)
            child.log_files(files)
        except BaseException as error:
            _end(child, "KILLED", f"{type(error).__name__}: {error}")
            raise
        _end(child, "FINISHED", at=ended)


def stored_folds(parent: Run) -> Iterator[StoredFold]:
    """The folds that the run has FINISHED already; those cut short are ended as KILLED."""
    for run in _children(parent):
        if run.info.status == "RUNNING":
            _end(Run(parent.client, run.info.run_id), "KILLED", "its parent was stopped")
        if run.info.status != "FINISHED":
            continue
        try:
            files = parent.files_of(run.info.run_id)
        except (MlflowException, OSError):
            continue  # its files are gone, so it is trained again
        yield StoredFold(
            key=(int(run.data.params[names.REPEAT]), int(run.data.params[names.FOLD])),
            metrics=run.data.metrics,
            files=files,
        )


def _children(parent: Run) -> list[StoredRun]:
    experiment = parent.client.get_run(parent.run_id).info.experiment_id
    found: list[StoredRun] = []
    token: str | None = ""
    while token is not None:
        page = parent.client.search_runs(
            [experiment], f"tags.`{PARENT_TAG}` = '{parent.run_id}'", page_token=token or None
        )
        found += page
        token = page.token or None
    return found


def _history(result: FoldResult, ended: int) -> list[Measured]:
    """Every epoch, at about the time when it ended."""
    seconds = result.history.column(names.EPOCH_SECONDS)
    return [
        (name, value, ended - int(1000 * sum(seconds[step:])), step)
        for step, row in enumerate(result.history.rows, start=1)
        for name, value in row.items()
    ]


def _end(child: Run, status: str, reason: str = "", at: int | None = None) -> None:
    if reason:
        child.set_tags({names.TAG_ERROR: reason[:_TAG_LENGTH]})
    child.end(status, at)
