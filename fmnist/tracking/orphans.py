"""Runs that say RUNNING although nobody works on them any more: found, told, ended as KILLED."""

import time
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Run

from fmnist import names
from fmnist.tracking import owner


@dataclass(frozen=True)
class Stale:
    """A run to end, and why."""

    run_id: str
    kind: str
    reason: str


def find_stale(client: MlflowClient, silent_hours: float) -> list[Stale]:
    """The RUNNING runs of all experiments whose process has ended.

    Args:
        silent_hours: a run of another host, or of no known process, counts as ended when it has
            told nothing for so long. Every run of ours logs the machine's load every few seconds.
    """
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found = []
    token: str | None = ""
    while token is not None:
        page = client.search_runs(
            experiments, "attributes.status = 'RUNNING'", page_token=token or None
        )
        for run in page:
            if reason := _why_stale(client, run, silent_hours):
                kind = run.data.tags.get(names.TAG_KIND, "run")
                found.append(Stale(run.info.run_id, kind, reason))
        token = page.token or None
    return found


def end_stale(client: MlflowClient, stale: Stale) -> None:
    """End the run as KILLED, with the reason; its metrics and files stay."""
    client.set_tag(stale.run_id, names.TAG_ERROR, stale.reason)
    client.set_terminated(stale.run_id, "KILLED")


def _why_stale(client: MlflowClient, run: Run, silent_hours: float) -> str | None:
    state = owner.state(run)
    if state == "gone":
        return "its process ended without closing it"
    silent = time.time() - _last_sign(client, run) / 1000
    if state == "elsewhere" and silent > 3600 * silent_hours:
        return f"nothing was heard of it for {silent / 3600:.1f} h"
    return None


def _last_sign(client: MlflowClient, run: Run) -> int:
    """When the run last logged a metric, or began; in milliseconds since 1970."""
    times = [run.info.start_time or 0]
    for name in run.data.metrics:
        times += [metric.timestamp for metric in client.get_metric_history(run.info.run_id, name)]
    return max(times)
