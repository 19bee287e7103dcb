"""Signal handling, time limits and process lifetime."""

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psutil

from fmnist import names
from fmnist.errors import Interrupted

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_interruptions: Final[list[Interrupted]] = []
_deferrals: Final[list[int]] = []  # number of interruptions at the start of each open block


def stop_on_signals() -> None:
    """Raise Interrupted in the main thread on SIGTERM and SIGINT.

    Under `mlflow run` and in steps of a study, the death of the parent counts as SIGTERM (Linux):
    MLflow does not forward its own signals and would leave this process running.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, frame: _interrupt(Interrupted(number)))
    if {"MLFLOW_RUN_ID", names.PARENT_RUN} & os.environ.keys() and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def exit_with_parent(parent: int) -> None:
    """End this process (on Linux) when its parent, given by process id, ends or has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def set_time_limit(minutes: float) -> None:
    """Stop the program after this time, as SIGTERM would; 0 for no limit."""
    if minutes:
        stop = Interrupted(signal.SIGTERM, f"timeout_minutes={minutes:g} is over")
        signal.signal(signal.SIGALRM, lambda signum, frame: _interrupt(stop))
        signal.setitimer(signal.ITIMER_REAL, 60 * minutes)


def ignore_signals() -> None:
    """Ignore SIGTERM, SIGINT and the time limit from now on, so that cleanup is not interrupted."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(signum, signal.SIG_IGN)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Delay the effect of signals to the end of the block.

    Signals are not blocked with a signal mask, because the kernel would deliver them to another
    thread, and Python runs all handlers in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _deferrals.append(len(_interruptions))
    try:
        yield
    finally:
        before = _deferrals.pop()
        if len(_interruptions) > before and not _deferrals:
            raise _interruptions[0]


def stop_launcher() -> None:
    """Terminate the `mlflow run` that started this process, if any.

    It would mark an interrupted run as FAILED and exit with code 1.
    """
    if launcher := _find_launcher():
        launcher.terminate()


def launcher_directory() -> Path:
    """Return the directory in which `mlflow run` was started, else the working directory."""
    if "MLFLOW_RUN_ID" in os.environ and (launcher := _find_launcher()):
        return Path(launcher.cwd())
    return Path.cwd()


def _find_launcher() -> psutil.Process | None:
    """Return the `mlflow run` that started this process, directly or through a shell."""
    for process in psutil.Process().parents()[:3]:
        with suppress(psutil.Error):
            words = [Path(word).name for word in process.cmdline()]
            if "mlflow" in words and words[words.index("mlflow") + 1 :][:1] == ["run"]:
                return process
    return None


def interruption() -> Interrupted | None:
    """Return the first signal that asked this process to stop.

    Libraries may replace or swallow the exception that it raised, so code that ends or continues
    the work checks here.
    """
    return _interruptions[0] if _interruptions else None


def _interrupt(interrupted: Interrupted) -> None:
    _interruptions.append(interrupted)
    if not _deferrals:
        raise _interruptions[0]
