"""What the benchmarks share: options, child processes and the format of results."""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")


def argument_parser(description: str | None, **numbers: int) -> argparse.ArgumentParser:
    """A parser with the directory of the data and options that are whole numbers."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_dir", default="auto", help="as in the entry points")
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
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


def read_clocks() -> npt.NDArray[np.float64]:
    """Wall time, and processor time of this process and its finished children, in seconds."""
    return np.array([time.perf_counter(), sum(os.times()[:4])])


def run_in_turns(
    functions: Mapping[str, Callable[[], T]], repeats: int
) -> tuple[dict[str, T], dict[str, npt.NDArray[np.float64]]]:
    """Call each function `repeats` times, in turns.

    Returns:
        The last result of each function, and (repeats, 2) wall and processor seconds.
    """
    results: dict[str, T] = {}
    times: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in functions}
    for repeat in range(repeats):
        for name, function in functions.items():
            start = read_clocks()
            results[name] = function()
            times[name].append(read_clocks() - start)
            seconds, cpu_seconds = times[name][-1]
            print(
                f"repeat {repeat}, {name}: {seconds:.1f} s, {cpu_seconds:.1f} processor seconds, "
                f"load {os.getloadavg()[0]:.1f}",
                file=sys.stderr,
            )
    return results, {name: np.array(clocks) for name, clocks in times.items()}


def format_spread(values: npt.ArrayLike) -> str:
    """Median, minimum and maximum."""
    return f"{np.median(values):.2f} ({np.min(values):.2f} to {np.max(values):.2f})"


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    for cells in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(cells) + " |")
