"""Runs that are still RUNNING although their process has ended: find them and end them."""

import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import psutil
from mlflow import MlflowClient
from mlflow.entities import Run

from fmnist import names
from fmnist.tracking.client import search_all

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_START_TIME_FIELD: Final = 19  # of what follows the name in /proc/PID/stat, see proc(5)


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
            client.set_tag(orphan.run_id, names.TAG_ERROR, orphan.reason)
            client.set_terminated(orphan.run_id, "KILLED")
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
    for run in search_all(client.search_runs, experiments, "attributes.status = 'RUNNING'"):
        state, kind = process_state(run), run.data.tags.get(names.TAG_KIND, "run")
        silent = time.time() - _last_activity(run) / 1000
        if state == "ended":
            orphans.append(Orphan(run.info.run_id, kind, "its process ended without closing it"))
        elif state == "unknown" and silent > 3600 * silent_hours:
            reason = f"no metric has been logged for {silent / 3600:.1f} h"
            orphans.append(Orphan(run.info.run_id, kind, reason))
    return orphans


def _last_activity(run: Run) -> int:
    """Return when the run last logged a metric, or started; in milliseconds since 1970.

    The search returns the latest value of each metric with its time; no history is read.
    """
    latest = run.data.to_proto().metrics
    return max([run.info.start_time or 0, *(metric.timestamp for metric in latest)])


def this_process() -> str:
    """Identify this process by host, process id and start, as the value of a tag."""
    pid = os.getpid()
    return json.dumps({"host": socket.gethostname(), "pid": pid, "started": _start(pid)})


def process_state(run: Run) -> Literal["running", "ended", "unknown"]:
    """Return the state of the process that works on the run; unknown if it is on another host.

    A process with the same id that started at another time is another process.
    """
    try:
        owner = json.loads(run.data.tags[names.TAG_PROCESS])
        host, pid, started = owner["host"], int(owner["pid"]), str(owner["started"])
    except (KeyError, TypeError, ValueError):
        return "unknown"
    if host != socket.gethostname():
        return "unknown"
    try:
        is_alive = psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return "running" if is_alive and _start(pid) == started else "ended"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return "ended"


def _start(pid: int) -> str:
    """Return when the process started, independent of the clock: boot id and ticks since boot."""
    if not _BOOT_ID.exists():  # not Linux
        return str(psutil.Process(pid).create_time())
    stat = Path(f"/proc/{pid}/stat").read_text()
    ticks = stat.rpartition(")")[2].split()[_START_TIME_FIELD]
    return f"{_BOOT_ID.read_text().strip()} {ticks}"
