"""Time of five folds: plain Keras one after another against this project's `crossval`.

    uv run python -m benchmarks.crossval --data_dir FOLDER [--repeats 1] [--epochs 10]

Each side is a fresh process, in turn, timed from its start to its end: with imports, and on our
side with tracking, figures and the store's first set-up. Processor seconds are told too: they say
what wall time would be on a machine that does nothing else.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def plain(arguments: argparse.Namespace) -> tuple[float, dict]:
    command = [sys.executable, "-m", "benchmarks.plain_keras_folds"]
    command += ["--data_dir", str(arguments.data_dir), "--epochs", str(arguments.epochs)]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, json.loads(done.stdout.splitlines()[-1])


def ours(arguments: argparse.Namespace) -> tuple[float, dict]:
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:///{folder}/mlflow.db"
        command = [sys.executable, "-m", "entrypoints.crossval", "--cache_dir", folder]
        command += ["--data_dir", str(arguments.data_dir), "--epochs", str(arguments.epochs)]
        environment = os.environ | {"MLFLOW_TRACKING_URI": store, "PYTHONPATH": os.getcwd()}
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True, cwd=folder, env=environment)
        seconds = time.perf_counter() - started

        from mlflow import MlflowClient

        [run] = MlflowClient(store).search_runs(["0"], "tags.`fmnist.kind` = 'crossval'")
        cv = {k.removeprefix("cv_"): v for k, v in run.data.metrics.items() if k.startswith("cv_")}
        held_out = [cv["val_accuracy_mean"], cv["val_accuracy_std"]]
        return seconds, cv | {
            "held_out": held_out,
            "test": [cv["test_accuracy_mean"], cv["test_accuracy_std"]],
        }


def processor_seconds() -> float:
    """What all ended children of this process have used."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    sides = {"plain Keras": plain, "fmnist": ours}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    used: dict[str, list[float]] = {name: [] for name in sides}
    scores: dict[str, dict] = {}
    for repeat in range(arguments.repeats):
        for name, measure in sides.items():
            before = processor_seconds()
            taken, scores[name] = measure(arguments)
            seconds[name].append(taken)
            used[name].append(processor_seconds() - before)
            load = f"{used[name][-1]:.0f} s of processor, load {os.getloadavg()[0]:.1f}"
            told = f"{taken:.0f} s, {load} {scores[name]}"
            print(f"repeat {repeat}, {name}: {told}", file=sys.stderr)
    header = ("", "wall time (s)", "processor time (s)", "held-out accuracy", "test accuracy")
    print("| " + " | ".join(header) + " |\n|" + " --- |" * len(header))
    for name in sides:
        pairs = [scores[name]["held_out"], scores[name]["test"]]
        cells = [f"{100 * mean:.2f} ± {100 * std:.2f} %" for mean, std in pairs]
        times = [f"{statistics.median(x[name]):.0f}" for x in (seconds, used)]
        print("| " + " | ".join([name, *times, *cells]) + " |")
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    print(f"\nplain Keras takes {statistics.median(ratios):.2f} times as long ({ratios})")


if __name__ == "__main__":
    main()
