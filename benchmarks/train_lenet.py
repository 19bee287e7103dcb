"""Seconds per epoch of LeNet-5: plain Keras against this project, each in a fresh process, in turn.

    uv run python -m benchmarks.train_lenet --data_dir FOLDER [--repeats 3] [--epochs 5]

The first epoch of every fit compiles and is told apart. Both sides validate on 6,000 rows in
every epoch. With torch installed, PyTorch is a third column.
"""

import argparse
import json
import statistics
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

COLUMNS = {
    "plain Keras": "benchmarks.plain_keras",
    "fmnist": "benchmarks.our_core",
    "PyTorch": "benchmarks.plain_torch",
}


def measure(module: str, arguments: argparse.Namespace, seed: int) -> dict:
    command = [sys.executable, "-m", module, "--data_dir", str(arguments.data_dir)]
    command += ["--epochs", str(arguments.epochs), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()

    names = [name for name in COLUMNS if name != "PyTorch" or find_spec("torch")]
    results: dict[str, list[dict]] = {name: [] for name in names}
    for seed in range(arguments.repeats):
        for name in names:
            results[name].append(measure(COLUMNS[name], arguments, seed))
            print(f"seed {seed}, {name}: {results[name][-1]}", file=sys.stderr)

    print("| | " + " | ".join(names) + " |\n|" + " --- |" * (len(names) + 1))
    epochs = {n: [statistics.median(r["epoch_seconds"][1:]) for r in results[n]] for n in names}
    first = {n: [r["epoch_seconds"][0] for r in results[n]] for n in names}
    rows = {
        "seconds per epoch, after the first": {n: spread(epochs[n]) for n in names},
        "first epoch, with compiling": {n: spread(first[n]) for n in names},
        "import": {n: spread([r["import_seconds"] for r in results[n]]) for n in names},
        "test accuracy": {n: spread([100 * r["accuracy"] for r in results[n]]) for n in names},
    }
    for row, cells in rows.items():
        print(f"| {row} | " + " | ".join(cells[n] for n in names) + " |")
    ratios = [a / b for a, b in zip(epochs["plain Keras"], epochs["fmnist"], strict=True)]
    print(f"\nplain Keras takes {spread(ratios)} times as long per epoch, pair by pair")
    accuracies = {n: statistics.mean(100 * r["accuracy"] for r in results[n]) for n in names}
    gap = accuracies["fmnist"] - accuracies["plain Keras"]
    print(f"mean test accuracy differs by {gap:+.2f} points ({arguments.repeats} seeds)")


if __name__ == "__main__":
    main()
