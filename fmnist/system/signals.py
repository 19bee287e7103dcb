"""This process among others: what a signal does to it, and that it does not outlive its parent."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import psutil

from fmnist import names
from fmnist.errors import Interrupted

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_interruptions: Final[list[Interrupted]] = []
_deferrals: Final[list[int]] = []  # how many interruptions there were before each block around us


def stop_on_signals() -> None:
    """From now on SIGTERM and SIGINT raise Interrupted where the program stands.

    Under `mlflow run`, and as a step of a study, the death of the parent counts as SIGTERM (on
    Linux): MLflow does not pass its own signals on, and would leave this process running as an
    orphan.
    """
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, _interrupt)
    if {"MLFLOW_RUN_ID", names.PARENT_RUN} & os.environ.keys() and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def die_with(parent: int) -> None:
    """From now on this process ends (on Linux) as soon as the process `parent`, that started it,
    does; at once when that has ended already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def stop_after(minutes: float) -> None:
    """After this time the program is stopped as SIGTERM would stop it; 0 for never."""
    if minutes:
        reason = f"timeout_minutes={minutes:g} is over"

        def stop(signum: int, frame: FrameType | None) -> None:
            _stop(Interrupted(signal.SIGTERM, reason))

        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, 60 * minutes)


def run_to_end(command: list[str], environment: Mapping[str, str]) -> int:
    """The exit code of a command that is run here; when this process is stopped, so is that."""
    process = subprocess.Popen(command, env=dict(environment))
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()  # it closes its own run
        raise


def ignore_signals() -> None:
    """From now on SIGTERM and SIGINT do nothing, and no time limit ends: what is being closed is
    closed whole.
    """
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(signum, signal.SIG_IGN)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """A signal that comes meanwhile takes effect at the end of the block.

    Blocked for this thread alone, it would be handed to another thread, and Python handles all of
    them in the main one.
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
    """End the `mlflow run` that started this process, if one did: it would mark a run that was
    stopped as FAILED, and end with exit code 1.
    """
    launcher = psutil.Process().parent()
    if launcher is None:
        return
    words = [Path(word).name for word in launcher.cmdline()]
    if "mlflow" in words and words[words.index("mlflow") + 1 :][:1] == ["run"]:
        launcher.terminate()


def interruption() -> Interrupted | None:
    """The signal that asked this process to stop, if one did.

    A library may turn the exception that it raised into another, or lose it in a destructor:
    whoever ends the work asks here, and whoever goes on with it now and then.
    """
    return _interruptions[0] if _interruptions else None


def _interrupt(signum: int, frame: FrameType | None) -> None:
    _stop(Interrupted(signum))


def _stop(interrupted: Interrupted) -> None:
    _interruptions.append(interrupted)
    if not _deferrals:
        raise _interruptions[0]


def peak_memory() -> int:
    """The most memory that this process has held so far, in bytes, with files mapped into it."""
    status = Path("/proc/self/status")
    if status.exists():  # what the system call tells goes on counting from the process before exec
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
