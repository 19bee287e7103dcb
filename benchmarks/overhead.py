"""Measure what checkpoints and the journal of unsent records add to a training of LeNet-5.

    python -m benchmarks.overhead checkpoints [--repeats 5] [--epochs 10] [--data_dir DIR]
    python -m benchmarks.overhead journal [--repeats 5] [--epochs 10] [--data_dir DIR]

`train` runs with and without the feature, in turn, each in a new process. For the journal, both
variants log to a server on this machine; without a journal, the training thread sends the records,
as MLflow does. `checkpoints` also reports the time and disk space of a single checkpoint.
"""

import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.measuring import argument_parser, print_table
from fmnist import names
from fmnist.training.checkpoints import Checkpoints
from tests.helpers.servers import free_port, tracking_server

TRAIN = ("-m", "entrypoints.train")
TRAIN_WITHOUT_JOURNAL = """
import runpy
from fmnist.tracking.offline import queue
queue.is_server = lambda uri: False
runpy.run_module("entrypoints.train", run_name="__main__", alter_sys=True)
"""
LENET5_PARAMETERS = 44_426
ARRAYS_PER_CHECKPOINT = 4  # weights, two moments of Adam, best weights
SAVED_CHECKPOINTS = 50

Seconds = dict[str, float]


def time_training(command: Sequence[str], environment: Mapping[str, str]) -> Seconds:
    """Run Python with the arguments, which train, in a new process and an empty directory.

    Returns:
        Seconds from the end of the first epoch to the end of the last, and of the whole process.
    """
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile("w+") as errors:
        own = {
            "MLFLOW_TRACKING_URI": f"sqlite:///{directory}/mlflow.db",
            "FMNIST_JOURNAL_DIR": f"{directory}/journal",
            "FMNIST_CHECKPOINT_DIR": f"{directory}/checkpoints",
            "PYTHONPATH": os.getcwd(),
        }
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, **own, **environment},
        )
        epochs = (line for line in process.stdout or [] if line.startswith("epoch "))
        epoch_ends = [time.perf_counter() for _ in epochs]
        if process.wait():
            errors.seek(0)
            code = process.returncode
            sys.exit(f"{shlex.join(command)}: exit code {code}\n{errors.read()}")
        seconds = time.perf_counter() - started
    return {"epochs after the first": epoch_ends[-1] - epoch_ends[0], "whole process": seconds}


def compare(repeats: int, measure: Callable[[bool, int], Seconds]) -> None:
    """Print a table of `measure(False, seed)` and `measure(True, seed)`."""
    results: dict[bool, list[Seconds]] = {False: [], True: []}
    for seed in range(repeats):
        for enabled in (True, False) if seed % 2 else (False, True):
            results[enabled].append(measure(enabled, seed))
            variant = "with" if enabled else "without"
            print(f"seed {seed}, {variant}: {results[enabled][-1]}", file=sys.stderr)
    rows = []
    for name in results[True][0]:
        without = [seconds[name] for seconds in results[False]]
        with_feature = [seconds[name] for seconds in results[True]]
        pairs = zip(without, with_feature, strict=True)
        added = statistics.median(100 * (more / less - 1) for less, more in pairs)
        medians = [f"{statistics.median(column):.2f}" for column in (without, with_feature)]
        rows.append([name, *medians, f"{added:+.1f} %"])
    print_table(["seconds", "without", "with", "added (median of pairs)"], rows)


def measure_single_checkpoint() -> None:
    """Print the milliseconds to write a checkpoint of LeNet-5, and its size on disk."""
    rng = np.random.default_rng(0)
    arrays = {
        str(number): rng.normal(size=LENET5_PARAMETERS).astype(np.float32)
        for number in range(ARRAYS_PER_CHECKPOINT)
    }
    history = [{names.VAL_LOSS: rng.random()} for _ in range(SAVED_CHECKPOINTS)]
    milliseconds = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:  # /tmp may be in memory
        checkpoints = Checkpoints(Path(directory, "fit"))
        for epoch in range(1, SAVED_CHECKPOINTS + 1):
            started = time.perf_counter()
            checkpoints.save(arrays, history[:epoch])
            milliseconds.append(1000 * (time.perf_counter() - started))
        size = sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())
    low, high = np.quantile(milliseconds, (0.05, 0.95))
    print(
        f"one checkpoint: {statistics.median(milliseconds):.1f} ms (5 to 95 %: {low:.1f} to "
        f"{high:.1f}, {SAVED_CHECKPOINTS} checkpoints); {size:,} bytes on disk\n"
    )


def main() -> None:
    parser = argument_parser(__doc__, repeats=5, epochs=10)
    parser.add_argument("feature", choices=["checkpoints", "journal"])
    options = parser.parse_args()
    if Path(options.data_dir).is_dir():
        options.data_dir = str(Path(options.data_dir).resolve())
    arguments = ["--data_dir", options.data_dir, "--epochs", str(options.epochs), "--seed"]
    if options.feature == "checkpoints":
        measure_single_checkpoint()

        def measure(enabled: bool, seed: int) -> Seconds:
            switch = ["--checkpoints", "on" if enabled else "off"]
            return time_training([*TRAIN, *arguments, str(seed), *switch], {})

        compare(options.repeats, measure)
        return

    with (
        tempfile.TemporaryDirectory() as directory,
        tracking_server(Path(directory), free_port()) as address,
    ):

        def measure_journal(enabled: bool, seed: int) -> Seconds:
            command = TRAIN if enabled else ("-c", TRAIN_WITHOUT_JOURNAL)
            environment = {"MLFLOW_TRACKING_URI": address}
            return time_training([*command, *arguments, str(seed)], environment)

        compare(options.repeats, measure_journal)


if __name__ == "__main__":
    main()
