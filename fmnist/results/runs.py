"""Runs as the tracking store describes them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class RunRecord:
    """What the tracking store knows about a run, without its artifacts.

    Args:
        kind: the tag `names.TAG_KIND`; `foreign` if the run was not logged by this project.
        link: its page in the tracking UI; None if the store is not a server.
        status: MLflow's status, such as `FINISHED`.
        is_finished: whether its work is complete; true for runs that ended with a drift alarm.
        started_at: seconds since 1970.
        parameters: as logged, without the shell quotes that `mlflow run` adds.
        model_id: the model that the run has logged, if any.
        ended_at: seconds since 1970; 0 while the run is open.
        is_resumable: whether it is unfinished and not in use by another process.
    """

    run_id: str
    name: str
    kind: str
    link: str | None
    status: str
    is_finished: bool
    started_at: float
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    model_id: str | None
    ended_at: float = 0.0
    is_resumable: bool = False
