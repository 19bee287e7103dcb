"""What the benchmarks share: options, child processes and the format of results."""

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def argument_parser(
    description: str | None, *, repeats: int, epochs: int = 0
) -> argparse.ArgumentParser:
    """A parser with the options of most benchmarks; `epochs` only if it is not 0."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_dir", default="auto", help="as in the entry points")
    parser.add_argument("--repeats", type=int, default=repeats)
    if epochs:
        parser.add_argument("--epochs", type=int, default=epochs)
    return parser


def run_module(
    arguments: Sequence[str], *, directory: Path | None = None, environment: Mapping[str, str] = {}
) -> str:
    """Run `python -m` with the arguments in a new process and return its standard output.

    Args:
        directory: working directory; by default the current one.
        environment: variables to add.

    Raises:
        SystemExit: the process failed; its standard error is shown.
    """
    command = [sys.executable, "-m", *arguments]
    process = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        sys.exit(f"{shlex.join(command)}: exit code {process.returncode}\n{process.stderr}")
    return process.stdout


def run_json(arguments: Sequence[str]) -> dict[str, Any]:
    """Run `python -m` and return the JSON object on the last line of its output."""
    result: dict[str, Any] = json.loads(run_module(arguments).splitlines()[-1])
    return result


def cpu_seconds_of_children() -> float:
    """Processor seconds used by all finished child processes, on all cores."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def format_spread(values: Sequence[float]) -> str:
    """Median, minimum and maximum."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    for cells in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(cells) + " |")
