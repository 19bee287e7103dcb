"""Which process works on a run, and whether it still lives."""

import json
import socket
from typing import Final, Literal

import psutil
from mlflow.entities import Run

from fmnist import names

# Clocks that are set while a machine is starting move what is told of a process's start.
_CLOCK_SECONDS: Final = 2.0


def this_process() -> str:
    """This process as a tag's value: host, number and start in seconds since 1970."""
    process = psutil.Process()
    told = {"host": socket.gethostname(), "pid": process.pid, "started": process.create_time()}
    return json.dumps(told)


def state(run: Run) -> Literal["alive", "gone", "elsewhere"]:
    """Whether the process that the run names still lives; `elsewhere` when this host cannot tell.

    A process of the same number that started at another time is another process.
    """
    try:
        owner = json.loads(run.data.tags[names.TAG_PROCESS])
        host, pid, started = owner["host"], int(owner["pid"]), float(owner["started"])
    except (KeyError, TypeError, ValueError):
        return "elsewhere"
    if host != socket.gethostname():
        return "elsewhere"
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < _CLOCK_SECONDS
        return "alive" if same and process.status() != psutil.STATUS_ZOMBIE else "gone"
    except psutil.NoSuchProcess:
        return "gone"
