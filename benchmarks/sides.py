"""The same training in two ways, in turn, each in a fresh process, and what the second adds."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence

Seconds = dict[str, float]


def timed(start: Sequence[str], options: Sequence[str], environment: Mapping[str, str]) -> Seconds:
    """From the end of the first epoch to the end of the last, and of the process.

    Args:
        start: what the interpreter is to run; it trains and prints a line an epoch.
        environment: more of it; everything that is kept goes to a folder of its own.
    """
    with tempfile.TemporaryDirectory() as folder:
        own = {
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            "FMNIST_JOURNAL_DIR": f"{folder}/journal",
            "FMNIST_CHECKPOINT_DIR": f"{folder}/checkpoints",
            "PYTHONPATH": os.getcwd(),
        }
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *start, *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **own, **environment},
        )
        told = (line for line in process.stdout or [] if line.startswith("epoch "))
        moments = [time.perf_counter() for _ in told]
        if process.wait():
            sys.exit(f"{[*start, *options]}: exit code {process.returncode}")
        whole = time.perf_counter() - started
    return {"epochs after the first": moments[-1] - moments[0], "whole process": whole}


def options_of(arguments: argparse.Namespace, seed: int) -> list[str]:
    """The training that is asked for, as options of the entry point."""
    told = {"data_dir": arguments.data_dir.absolute(), "epochs": arguments.epochs, "seed": seed}
    return [word for name, value in told.items() for word in (f"--{name}", str(value))]


def compare(repeats: int, measure: Callable[[str, int], Seconds]) -> None:
    """Print a table of `measure("without", seed)` and `measure("with", seed)`."""
    results: dict[str, list[Seconds]] = {"without": [], "with": []}
    for seed in range(repeats):
        for side in list(results)[:: 1 if seed % 2 else -1]:
            results[side].append(measure(side, seed))
            print(f"seed {seed}, {side}: {results[side][-1]}", file=sys.stderr)
    print("| seconds | without | with | added |\n| --- | --- | --- | --- |")
    for name in results["with"][0]:
        pairs = [
            (a[name], b[name]) for a, b in zip(results["without"], results["with"], strict=True)
        ]
        without, with_ = (statistics.median(side) for side in zip(*pairs, strict=True))
        added = statistics.median(100 * (b / a - 1) for a, b in pairs)
        print(f"| {name} | {without:.2f} | {with_:.2f} | {added:+.1f} % (median of pairs) |")
