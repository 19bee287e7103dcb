"""Identity of a process, stored with its run so that others can check whether it still exists."""

import json
import os
import socket
from pathlib import Path
from typing import Any, Final, Literal

import psutil

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE: Final = Path("/proc/self/ns/pid")
_START_TIME_FIELD: Final = 19  # of what follows the name in /proc/PID/stat, see proc(5)


def this_process() -> str:
    """Identify this process by host, PID namespace, process id and start, as JSON."""
    pid = os.getpid()
    return json.dumps(_machine() | {"pid": pid, "started": _start(pid)})


def process_state(identity: str) -> Literal["running", "ended", "unknown"]:
    """Return the state of a process, given by the text of `this_process`.

    Unknown on another host, and in another container: the same process id may be in use in each.
    A process with the same id that started at another time is another process.
    """
    try:
        owner = json.loads(identity)
        pid, started = int(owner["pid"]), owner["started"]
        if not _machine().items() <= owner.items():
            return "unknown"
    except (AttributeError, KeyError, TypeError, ValueError):
        return "unknown"
    try:
        is_alive = psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return "running" if is_alive and _start(pid) == started else "ended"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return "ended"


def _machine() -> dict[str, Any]:
    namespace = _NAMESPACE.stat().st_ino if _NAMESPACE.exists() else 0  # Linux only
    return {"host": socket.gethostname(), "namespace": namespace}


def _start(pid: int) -> str:
    """Return when the process started, independent of the clock: boot id and ticks since boot."""
    if not _BOOT_ID.exists():  # not Linux
        return str(psutil.Process(pid).create_time())
    stat = Path(f"/proc/{pid}/stat").read_text()
    ticks = stat.rpartition(")")[2].split()[_START_TIME_FIELD]
    return f"{_BOOT_ID.read_text().strip()} {ticks}"
