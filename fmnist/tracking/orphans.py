"""Runs that are still RUNNING although their process has ended: find them and end them."""

import math
import time
from collections.abc import Iterator, Sequence

from mlflow import MlflowClient
from mlflow.entities import Run

from fmnist import names
from fmnist.system.identity import process_state
from fmnist.tracking.client import search_all


def reap(client: MlflowClient, silent_hours: float, really: bool) -> None:
    """Print all orphaned runs.

    Args:
        silent_hours: see `find_orphans`.
        really: end them as KILLED, with the reason; their metrics and files are kept.
    """
    experiments = [each.experiment_id for each in search_all(client.search_experiments)]
    orphans = list(find_orphans(client, experiments, silent_hours))
    for run, reason in orphans:
        if really:
            _end(client, run, reason)
        action, kind = "ended" if really else "would end", run.data.tags.get(names.TAG_KIND, "run")
        print(f"{action} {kind} {run.info.run_id}: {reason}")
    hint = "" if really or not orphans else "; add --really to end them"
    print(f"{len(orphans)} orphaned runs{hint}")


def end_orphans(client: MlflowClient, experiment_id: str, kept: str | None) -> None:
    """End the RUNNING runs of an experiment whose process on this machine was killed.

    They can still be resumed.

    Args:
        kept: id of the run that this process resumes.
    """
    for run, reason in list(find_orphans(client, [experiment_id])):
        if run.info.run_id != kept:
            _end(client, run, reason)


def find_orphans(
    client: MlflowClient, experiments: Sequence[str], silent_hours: float = math.inf
) -> Iterator[tuple[Run, str]]:
    """Yield the RUNNING runs of experiments whose process has ended, with the reason.

    Args:
        silent_hours: a run of another host, or without a known process, counts as orphaned if it
            has logged no metric for this long. System metrics are logged every ten seconds.
    """
    for run in search_all(client.search_runs, experiments, "attributes.status = 'RUNNING'"):
        state = process_state(run.data.tags.get(names.TAG_PROCESS, ""))
        silent = (time.time() - _last_activity(run) / 1000) / 3600
        if state == "ended":
            yield run, "its process ended without closing it"
        elif state == "unknown" and silent > silent_hours:
            yield run, f"no metric has been logged for {silent:.1f} h"


def _end(client: MlflowClient, run: Run, reason: str) -> None:
    client.set_tag(run.info.run_id, names.TAG_ERROR, reason)
    client.set_terminated(run.info.run_id, "KILLED")


def _last_activity(run: Run) -> int:
    """Return when the run last logged a metric, or started; in milliseconds since 1970.

    The search returns the latest value of each metric with its time; no history is read.
    """
    latest = run.data.to_proto().metrics
    return max([run.info.start_time or 0, *(metric.timestamp for metric in latest)])
