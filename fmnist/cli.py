"""What every entry point shares: signals, exit codes, first line and summary."""

import os
import re
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from fmnist import names
from fmnist.errors import BadInput, CommandError, Interrupted, WorkFailed
from fmnist.options import describe_run
from fmnist.options.base import Options
from fmnist.options.command_line import parse
from fmnist.system.console import WIDTH, open_console
from fmnist.system.environment import require_home, require_utf8
from fmnist.system.memory import collect_rarely
from fmnist.system.progress import show_progress
from fmnist.system.signals import (
    ignore_signals,
    interruption,
    signals_deferred,
    stop_launcher,
    stop_on_signals,
)

if TYPE_CHECKING:
    from fmnist.tracking.run import Run

T = TypeVar("T", bound=Options)

_FAILED: Final = 1
_SIGNAL_BASE: Final = 128
_MIN_CELL_WIDTH: Final = 20
_MARKUP: Final = re.compile(r"\*\*(.+?)\*\*|(?<!\w)\*(.+?)\*(?!\w)|`(.+?)`|\[([^]]+)\]\([^)]+\)")


def run(options: type[T], work: str | Callable[[T], None]) -> NoReturn:
    """Run the work of an entry point with the options of `sys.argv`, then exit with its code.

    Args:
        work: a function, or `module:function`, imported when the options have been validated.
    """
    require_utf8()
    name = work.partition(":")[2] if isinstance(work, str) else work.__name__
    launched_run = os.environ.get("MLFLOW_RUN_ID")  # removed when the run is opened
    run_name = name
    with open_console():
        require_home()
        stop_on_signals()
        collect_rarely()
        try:
            parsed = parse(options, sys.argv[1:], name)
            run_name = describe_run("study" if name == "main" else name, parsed)
            _print_header(name, parsed)
            with show_progress(f"{name} is running"):
                with signals_deferred():  # an interrupted import of NumPy cannot be repeated
                    function = resolve_name(work) if isinstance(work, str) else work
                function(parsed)
            sys.stdout.flush()  # an error after the end would have no message
        except (Interrupted, Exception) as error:
            sys.exit(_report_error(name, error, launched_run, run_name))
    sys.exit(0)


def print_result(description: str) -> None:
    """Print the description of a run, which is Markdown, as plain text."""
    print(f"\n{plain_text(description)}", flush=True)


def print_summary(tracked: "Run", next_command: str) -> None:
    """Print where a finished run can be seen, and what to do next; steps of a study do not."""
    if names.PARENT_RUN in os.environ:
        return
    from fmnist.tracking import ui

    print()
    lines = ui.describe_run(tracked.client, tracked.run_id)
    for label, text in {**lines, "next": next_command}.items():
        print(f"{label:<9} {text}")


def plain_text(markdown: str) -> str:
    """Convert the Markdown of a description to lines of at most 79 columns; tables are aligned."""
    lines: list[str] = []
    for is_table, block in groupby(markdown.splitlines(), lambda line: line.startswith("|")):
        if is_table:
            lines += _align_table(block)
        else:
            lines += map(_wrap, block)
    return "\n".join(lines)


def _wrap(line: str) -> str:
    if line.startswith("    "):  # code
        return line.removeprefix("  ")
    return textwrap.fill(
        _remove_markup(line),
        WIDTH,
        subsequent_indent="  " if line.startswith("- ") else "",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _align_table(lines: Iterable[str]) -> Iterator[str]:
    rows = [
        [_remove_markup(cell).strip() for cell in re.split(r"(?<!\\)\|", line.strip("| "))]
        for line in lines
        if not set(line) <= set("|-: ")
    ]
    *widths, _ = [max(map(len, column)) for column in zip(*rows, strict=True)]
    indent = sum(widths) + 2 * len(widths)
    last_width = max(WIDTH - indent, _MIN_CELL_WIDTH)
    for *cells, last in rows:
        padded = [f"{cell.ljust(width)}  " for cell, width in zip(cells, widths, strict=True)]
        lines = textwrap.wrap(last, last_width, break_long_words=False) or [""]
        yield f"{''.join(padded)}{lines[0]}".rstrip()
        yield from (f"{' ' * indent}{line}" for line in lines[1:])


def _remove_markup(text: str) -> str:
    text = _MARKUP.sub(lambda match: next(filter(None, match.groups())), text)
    return text.replace("\\|", "|")


def _print_header(name: str, options: Options) -> None:
    """Print what runs, which data it uses, and where it is tracked."""
    from fmnist.tracking.address import describe_store

    store = describe_store()  # rejects an unusable URI before anything is printed
    values = options.as_text()
    title = describe_run("train", options)  # without the name of the entry point
    if values.get("register_as", "none") != "none":
        title = f"{title} register_as={values['register_as']}".strip()
    try:
        line = f"{name}: {title}" if title else name
        print(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…", flush=True)
    except WorkFailed as error:  # the disk is full; no work has started
        raise BadInput(str(error)) from error
    if names.PARENT_RUN in os.environ:  # a step of a study, which printed the rest
        return
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.data.sources import describe_location
    if "data_dir" in values:
        print(f"data      {describe_location(values['data_dir'], values['cache_dir'])}")
    print(f"tracking  {store}", flush=True)


def _report_error(name: str, error: BaseException, launched_run: str | None, run_name: str) -> int:
    """Print the error, end a run of `mlflow run` that is not opened; return the exit code."""
    is_rejected = isinstance(error, CommandError) and not isinstance(error, WorkFailed)
    if (stop := interruption()) and not is_rejected:
        if launched_run:
            _end_launched_run(launched_run, "KILLED", run_name, stop)
            stop_launcher()
        print(f"{name}: {stop}", file=sys.stderr)
        return _SIGNAL_BASE + stop.signum
    if not isinstance(error, CommandError):
        traceback.print_exception(error)
    print(f"{name}: {error}" if is_rejected else f"{name}: failed: {error}", file=sys.stderr)
    if launched_run and "MLFLOW_RUN_ID" in os.environ:
        _end_launched_run(launched_run, "FAILED", run_name, error)
    return error.exit_code if isinstance(error, CommandError) else _FAILED


def _end_launched_run(run_id: str, status: str, name: str, error: BaseException) -> None:
    """End the run of `mlflow run`, which may not have been opened yet, with its reason."""
    ignore_signals()
    try:
        from fmnist.tracking.start import end_launched_run

        end_launched_run(run_id, status, name, {names.TAG_NOTE: str(error)}, error)
    except Exception as store_error:  # for example no server; the message was printed before
        if status == "KILLED":
            print(f"run {run_id} could not be marked as KILLED: {store_error}", file=sys.stderr)
