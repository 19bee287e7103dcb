"""Which process works on a run, and whether it still lives."""

import json
import os
import socket
from pathlib import Path
from typing import Final, Literal

import psutil
from mlflow.entities import Run

from fmnist import names

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_STARTED_FIELD: Final = 19  # of what follows the name in /proc/PID/stat, see proc(5)


def this_process() -> str:
    """This process as a tag's value: host, number and start."""
    pid = os.getpid()
    return json.dumps({"host": socket.gethostname(), "pid": pid, "started": _started(pid)})


def state(run: Run) -> Literal["alive", "gone", "elsewhere"]:
    """Whether the process that the run names still lives; `elsewhere` when this host cannot tell.

    A process of the same number that started at another time is another process.
    """
    try:
        owner = json.loads(run.data.tags[names.TAG_PROCESS])
        host, pid, started = owner["host"], int(owner["pid"]), str(owner["started"])
    except (KeyError, TypeError, ValueError):
        return "elsewhere"
    if host != socket.gethostname():
        return "elsewhere"
    try:
        living = psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return "alive" if living and _started(pid) == started else "gone"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return "gone"


def _started(pid: int) -> str:
    """When the process started, in words that stay the same when the clock is set: on Linux the
    start of the machine and the ticks since then.
    """
    if not _BOOT.exists():
        return str(psutil.Process(pid).create_time())
    stat = Path(f"/proc/{pid}/stat").read_text()
    ticks = stat.rpartition(")")[2].split()[_STARTED_FIELD]
    return f"{_BOOT.read_text().strip()} {ticks}"
