"""What every entry point does around its work: parse, listen to signals, end with a true code."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Final, NoReturn, TypeVar

from fmnist.errors import (
    BadInput,
    DriftAlarm,
    Interrupted,
    PromotionRefused,
    TrackingIncomplete,
    WorkFailed,
)
from fmnist.options import Options
from fmnist.options.command_line import parse
from fmnist.system.signals import (
    ignore_signals,
    interruption,
    stop_launcher,
    stop_on_signals,
)

T = TypeVar("T", bound=Options)

FAILED, SIGNAL_BASE = 1, 128
_CODES: Final = {BadInput: 2, DriftAlarm: 3, PromotionRefused: 4, TrackingIncomplete: 5}


def run(options: type[T], work: Callable[[T], None]) -> NoReturn:
    """Do the work that the command line asks for, then end the process with the true exit code."""
    name = work.__name__
    launched_run = os.environ.get("MLFLOW_RUN_ID")  # MLflow removes it when the run is opened
    stop_on_signals()
    try:
        work(parse(options, sys.argv[1:], f"python -m entrypoints.{name}"))
    except tuple(_CODES) as told:
        print(f"{name}: {told}", file=sys.stderr)
        sys.exit(_CODES[type(told)])
    except (Interrupted, Exception) as error:
        if stop := interruption():
            if launched_run:
                _end_launched(launched_run, stop)
            print(f"{name}: {stop}", file=sys.stderr)
            sys.exit(SIGNAL_BASE + stop.signum)
        if not isinstance(error, WorkFailed):
            traceback.print_exc()
        print(f"{name}: failed: {error}", file=sys.stderr)
        sys.exit(FAILED)
    sys.exit(0)


def _end_launched(run_id: str, stop: Interrupted) -> None:
    """Close the run of `mlflow run`, which the work may not have opened yet, then its launcher."""
    ignore_signals()
    from fmnist.tracking.run import kill_run

    try:
        kill_run(run_id, stop)
    except Exception as error:  # a server that is away; the launcher must end all the same
        print(f"the run {run_id} could not be marked as KILLED: {error}", file=sys.stderr)
    stop_launcher()
