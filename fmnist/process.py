"""This process among others: what a signal does to it, and that it does not outlive its parent."""

import ctypes
import os
import resource
import signal
import sys
from types import FrameType
from typing import Final

from fmnist.errors import Interrupted

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def stop_on_signals() -> None:
    """From now on SIGTERM and SIGINT raise Interrupted where the program stands.

    Under `mlflow run` the death of the parent counts as SIGTERM (on Linux): MLflow does not pass
    its own signals on, and would leave this process running as an orphan.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, _interrupt)
    if "MLFLOW_RUN_ID" in os.environ and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def ignore_signals() -> None:
    """From now on SIGTERM and SIGINT do nothing: what is being closed is closed whole."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise Interrupted(signum)


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
