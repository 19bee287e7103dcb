"""What every entry point shares: option parsing, signal handling and exit codes."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeVar

import tyro
from pydantic import BaseModel, Field, create_model

from fmnist.errors import BadInput, CommandError, Interrupted, WorkFailed
from fmnist.options.base import RENAMED_OPTIONS, Options
from fmnist.system.signals import ignore_signals, interruption, stop_launcher, stop_on_signals

T = TypeVar("T", bound=Options)

_FAILED: Final = 1
_SIGNAL_BASE: Final = 128


def parse(options: type[T], arguments: list[str], program: str) -> T:
    """Parse command-line arguments.

    Raises:
        BadInput: a value is out of range, or an option has been renamed.
        SystemExit: unknown or malformed arguments (code 2, explained on stderr), or `--help`.
    """
    flags = [argument for argument in arguments if argument.startswith("--")]
    given = {flag.removeprefix("--").partition("=")[0].replace("-", "_") for flag in flags}
    for name in given:
        new_name = RENAMED_OPTIONS.get(name)
        if new_name in options.model_fields:
            raise BadInput(f"--{name} has been renamed; use --{new_name} (-P {new_name}=...)")
    parser = _without_validation(options)
    parsed = tyro.cli(parser, args=arguments, prog=program, use_underscores=True)
    # A recipe sets the options that are not given.
    return options.model_validate({name: getattr(parsed, name) for name in given})


def _without_validation(options: type[Options]) -> type[BaseModel]:
    """Return a model with the same fields; it accepts all values of their types."""
    fields: dict[str, Any] = {
        name: (field.annotation, Field(field.default, description=field.description))
        for name, field in options.model_fields.items()
    }
    return create_model(options.__name__, __doc__=options.__doc__, **fields)


def run(options: type[T], work: Callable[[T], None]) -> NoReturn:
    """Run the work of an entry point with the options of `sys.argv`, then exit with its code."""
    name = work.__name__
    launched_run = os.environ.get("MLFLOW_RUN_ID")  # MLflow removes it when the run is opened
    stop_on_signals()
    try:
        work(parse(options, sys.argv[1:], f"python -m entrypoints.{name}"))
    except (Interrupted, Exception) as error:
        if isinstance(error, CommandError) and not isinstance(error, WorkFailed):
            print(f"{name}: {error}", file=sys.stderr)
            sys.exit(error.exit_code)
        if stop := interruption():
            if launched_run:
                _kill_launched_run(launched_run, stop)
            print(f"{name}: {stop}", file=sys.stderr)
            sys.exit(_SIGNAL_BASE + stop.signum)
        if not isinstance(error, WorkFailed):
            traceback.print_exc()
        print(f"{name}: failed: {error}", file=sys.stderr)
        sys.exit(_FAILED)
    sys.exit(0)


def _kill_launched_run(run_id: str, stop: Interrupted) -> None:
    """Mark the run of `mlflow run`, which may not have been opened yet, and stop its launcher."""
    ignore_signals()
    try:
        from fmnist.tracking.run import kill_run

        kill_run(run_id, stop)
    except Exception as error:  # for example no server; the launcher must stop in any case
        print(f"run {run_id} could not be marked as KILLED: {error}", file=sys.stderr)
    stop_launcher()
