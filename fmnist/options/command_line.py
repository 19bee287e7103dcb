"""From a command line to options, and from an outcome to an exit code."""

import sys
import traceback
from collections.abc import Callable
from typing import NoReturn, TypeVar

import tyro

from fmnist.errors import BadInput, DriftAlarm, Interrupted, WorkFailed
from fmnist.options.declared import Options
from fmnist.process import interruption, stop_on_signals

T = TypeVar("T", bound=Options)

FAILED, BAD_INPUT, DRIFT_ALARM, SIGNAL_BASE = 1, 2, 3, 128


def parse(options: type[T], arguments: list[str], program: str) -> T:
    """The options that the arguments ask for.

    Raises:
        BadInput: a value outside its range.
        SystemExit: with code 2, unknown or malformed arguments (told by tyro on stderr); with
            code 0, after `--help`.
    """
    return tyro.cli(options, args=arguments, prog=program, use_underscores=True)


def run(options: type[T], work: Callable[[T], None]) -> NoReturn:
    """Do the work that the command line asks for, then end the process with the true exit code."""
    name = work.__name__
    stop_on_signals()
    try:
        work(parse(options, sys.argv[1:], f"python -m entrypoints.{name}"))
    except BadInput as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except DriftAlarm as alarm:
        print(f"{name}: {alarm}", file=sys.stderr)
        sys.exit(DRIFT_ALARM)
    except (Interrupted, Exception) as error:
        if stop := interruption():
            print(f"{name}: {stop}", file=sys.stderr)
            sys.exit(SIGNAL_BASE + stop.signum)
        if not isinstance(error, WorkFailed):
            traceback.print_exc()
        print(f"{name}: failed: {error}", file=sys.stderr)
        sys.exit(FAILED)
    sys.exit(0)
