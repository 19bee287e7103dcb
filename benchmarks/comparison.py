"""Measure time and memory of `compare` in a large tracking store.

    python -m benchmarks.comparison [--others 2000] [--groups 20] [--seeds 10]

The store is a new sqlite database with synthetic predictions for 10,000 test images. `compare` runs
in a new process, first on 2 models with 3 seeds each among many other runs (folds, trials and
failed trainings), then on all models with all seeds among the same runs.
"""

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.measuring import argument_parser, print_table
from fmnist import names
from fmnist.options import Train
from fmnist.results.training import CLASSES
from tests.helpers.logged_runs import evaluation_of, log_train, store_at

IMAGES: Final = 10_000
TABLES_OF_RUNS: Final = ("runs", "metrics", "latest_metrics", "params", "tags")


def log_models(groups: int, seeds: int) -> str:
    """Log replicates of models that differ in dropout, and return the id of the last run."""
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % CLASSES
    run_id = ""
    for group in range(groups):
        for seed in range(seeds):
            correct = round(rng.normal(8850 + 10 * group, 30))
            test = evaluation_of(labels, correct, seed=group * seeds + seed)
            run_id = log_train(Train(seed=seed, dropout=group / 100), test)
    return run_id


def copy_run(database: Path, run_id: str, count: int) -> None:
    """Copy the records of a run as folds, trials and failed trainings."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for number in range(count):
            copy = uuid.uuid4().hex
            for table in TABLES_OF_RUNS:
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                values = ", ".join("?" if column == "run_uuid" else column for column in columns)
                connection.execute(
                    f"INSERT INTO {table} SELECT {values} FROM {table} WHERE run_uuid = ?",  # noqa: S608
                    (copy, run_id),
                )
            kind = ("fold", "trial", "train")[number % 3]
            connection.execute(
                "UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?",
                (kind, copy, names.TAG_KIND),
            )
            connection.execute(
                "UPDATE runs SET status = ? WHERE run_uuid = ?",
                ("FAILED" if kind == "train" else "FINISHED", copy),
            )


def measure(uri: str) -> list[str]:
    """Wall-clock seconds, processor seconds and peak memory in megabytes of `compare`."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "entrypoints.compare"],
        env={**os.environ, "MLFLOW_TRACKING_URI": uri},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"compare: exit status {os.waitstatus_to_exitcode(status)}")
    seconds = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    return [*(f"{value:.1f}" for value in seconds), f"{usage.ru_maxrss / 1024:.0f}"]


def main() -> None:
    options = argument_parser(__doc__, others=2000, groups=20, seeds=10).parse_args()
    rows = []
    # The files of runs are stored in the working directory.
    os.environ["PYTHONPATH"] = os.getcwd()
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        database = Path(directory) / "mlflow.db"
        uri = f"sqlite:///{database}"
        for groups, seeds in ((2, 3), (options.groups, options.seeds)):
            with store_at(uri):
                last = log_models(groups, seeds)
            if not rows:
                copy_run(database, last, options.others)
            rows.append([str(groups), str(groups * seeds), *measure(uri)])
    print(f"{options.others:,} other runs\n")
    print_table(
        ["models", "compared runs", "seconds", "processor seconds", "peak memory (MB)"], rows
    )


if __name__ == "__main__":
    main()
