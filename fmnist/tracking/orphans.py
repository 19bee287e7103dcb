"""Runs that are still RUNNING although their process has ended: find them and end them."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Run

from fmnist import names
from fmnist.system.identity import process_state
from fmnist.tracking.client import search_all

_REASON: Final = "its process ended without closing it"


@dataclass(frozen=True)
class Orphan:
    """A run to end, and the reason."""

    run_id: str
    kind: str
    reason: str


def reap(client: MlflowClient, silent_hours: float, really: bool) -> None:
    """Print all orphaned runs.

    Args:
        silent_hours: see `find_orphans`.
        really: end them as KILLED, with the reason; their metrics and files are kept.
    """
    orphans = find_orphans(client, silent_hours)
    for orphan in orphans:
        if really:
            _end(client, orphan)
        action = "ended" if really else "would end"
        print(f"{action} {orphan.kind} {orphan.run_id}: {orphan.reason}")
    hint = "" if really or not orphans else "; add --really to end them"
    print(f"{len(orphans)} orphaned runs{hint}")


def find_orphans(client: MlflowClient, silent_hours: float) -> list[Orphan]:
    """Return the RUNNING runs of all experiments whose process has ended.

    Args:
        silent_hours: a run of another host, or without a known process, counts as orphaned if it
            has logged no metric for this long. System metrics are logged every ten seconds.
    """
    experiments = [each.experiment_id for each in search_all(client.search_experiments)]
    orphans = []
    for run in _running(client, experiments):
        state, kind = _state(run), run.data.tags.get(names.TAG_KIND, "run")
        silent = time.time() - _last_activity(run) / 1000
        if state == "ended":
            orphans.append(Orphan(run.info.run_id, kind, _REASON))
        elif state == "unknown" and silent > 3600 * silent_hours:
            reason = f"no metric has been logged for {silent / 3600:.1f} h"
            orphans.append(Orphan(run.info.run_id, kind, reason))
    return orphans


def end_orphans(client: MlflowClient, experiment_id: str, kept: str | None) -> None:
    """End the RUNNING runs of an experiment whose process on this machine was killed.

    They can still be resumed.

    Args:
        kept: id of the run that this process resumes.
    """
    for run in _running(client, [experiment_id]):
        if run.info.run_id != kept and _state(run) == "ended":
            _end(client, Orphan(run.info.run_id, run.data.tags.get(names.TAG_KIND, "run"), _REASON))


def _running(client: MlflowClient, experiments: Iterable[str]) -> Iterator[Run]:
    return search_all(client.search_runs, list(experiments), "attributes.status = 'RUNNING'")


def _state(run: Run) -> str:
    return process_state(run.data.tags.get(names.TAG_PROCESS, ""))


def _end(client: MlflowClient, orphan: Orphan) -> None:
    client.set_tag(orphan.run_id, names.TAG_ERROR, orphan.reason)
    client.set_terminated(orphan.run_id, "KILLED")


def _last_activity(run: Run) -> int:
    """Return when the run last logged a metric, or started; in milliseconds since 1970.

    The search returns the latest value of each metric with its time; no history is read.
    """
    latest = run.data.to_proto().metrics
    return max([run.info.start_time or 0, *(metric.timestamp for metric in latest)])
