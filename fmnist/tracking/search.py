"""Earlier runs of the same configuration, in the experiment that is in use."""

import time
from collections.abc import Collection
from typing import Final

from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import BadInput
from fmnist.tracking import owner
from fmnist.tracking.opening import experiment_in_use
from fmnist.tracking.run import PARENT_TAG
from fmnist.tracking.store import open_store

_MOST: Final = 1000


def done(kind: str, digest: str) -> list[Run]:
    """Runs whose work is done, the newest first."""
    return [run for run in _same(kind, digest) if is_done(run)]


def ended_within(runs: list[Run], hours: float) -> list[Run]:
    """Those of the runs that ended in so many hours before now; all of them for 0."""
    since = 1000 * (time.time() - 3600 * hours) if hours else 0.0
    return [run for run in runs if (run.info.end_time or 0) >= since]


def to_resume(
    resume: str, kind: str, digest: str, among: Collection[str] | None = None
) -> str | None:
    """The id of the unfinished run to complete, None to begin a new one.

    Args:
        resume: `auto`, `off`, or the id of a run.
        among: for `auto`, the ids of runs that can be completed here; None for all.

    Raises:
        BadInput: the named run does not exist, is of another configuration, is done, or is being
            worked on.
    """
    if resume == "off":
        return None
    if resume == "auto":
        open_ends = [run.info.run_id for run in _same(kind, digest) if _can_go_on(run)]
        return next((run for run in open_ends if among is None or run in among), None)
    try:
        run = open_store().get_run(resume)
    except MlflowException as error:
        raise BadInput(
            f"resume={resume}: no such run on this tracking store; wanted the id of an unfinished "
            f"{kind} run, or auto"
        ) from error
    tags = run.data.tags
    if (tags.get(names.TAG_KIND), tags.get(names.TAG_CONFIG_DIGEST)) != (kind, digest):
        raise BadInput(
            f"resume={resume}: that run is a {tags.get(names.TAG_KIND, 'foreign run')} of the "
            f"configuration {tags.get(names.TAG_CONFIG_DIGEST, 'unknown')}, wanted a {kind} of "
            f"{digest}: the options, data and code that decide results must be the same"
        )
    if not _can_go_on(run):
        raise BadInput(
            f"resume={resume}: that run is {run.info.status} and cannot go on; use resume=auto"
        )
    return resume


def nested(parent: str, kind: str) -> list[Run]:
    """The done runs of a kind that are nested in a run, the newest first."""
    return [run for run in _found(kind, f"tags.`{PARENT_TAG}` = '{parent}'") if is_done(run)]


def _same(kind: str, digest: str) -> list[Run]:
    return _found(kind, f"tags.`{names.TAG_CONFIG_DIGEST}` = '{digest}'")


def _found(kind: str, condition: str) -> list[Run]:
    client = open_store()
    return list(
        client.search_runs(
            [experiment_in_use(client)],
            f"tags.`{names.TAG_KIND}` = '{kind}' and {condition}",
            max_results=_MOST,
            order_by=["attributes.start_time DESC"],
        )
    )


def is_done(run: Run) -> bool:
    """Whether its work is done.

    A run that raised the drift alarm counts, whatever `mlflow run` made of the exit code.
    """
    return run.info.status == "FINISHED" or names.TAG_ALARM in run.data.tags


def _can_go_on(run: Run) -> bool:
    return not is_done(run) and (run.info.status != "RUNNING" or owner.state(run) == "gone")
