"""Test accuracy of named commands: mean and standard deviation over seeds, with training seconds.

    uv run python -m benchmarks.accuracy --data_dir FOLDER [--seeds 5] [--only lenet5-60 …]

Each is a run of `train`, tracked in `accuracy.db` here, in an experiment of its name; those that
are there are not run again. Nothing may be chosen by these numbers: the commands were chosen on
validation rows (docs/recipes.md).
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

import mlflow

from fmnist import names
from fmnist.options import Train
from fmnist.options.mlproject import command

_WHOLE: Final = {"validation_fraction": 0, "keep": "last"}
_STRONG: Final = {"recipe": "strong", "learning_rate": 0.003, **_WHOLE}
COMMANDS: Final = {
    "report": Train(),
    "lenet5-10": Train(**_STRONG, epochs=10, batch_size=32, flip="off", translate=0),
    "lenet5-60": Train(**_STRONG, epochs=60, batch_size=64),
    "convnet": Train(
        **_STRONG,
        model="convnet",
        epochs=14,
        batch_size=64,
        weight_decay=0.05,
        random_erasing=0.25,
        label_smoothing=0.1,
    ),
    "vgg16": Train(
        model="vgg16",
        weights="hed-bsds500",
        feature_layers="multi",
        input_size=48,
        epochs=60,
        learning_rate=0.0003,
        batch_size=256,
    ),
}  # fmt: skip


def measured(name: str, options: Train, seed: int, data_dir: Path) -> tuple[float, float]:
    """Test accuracy and seconds of training, from the store or from a run made now."""
    runs = mlflow.search_runs(
        experiment_names=[name],
        filter_string=f"params.seed = '{seed}' and attributes.status = 'FINISHED'",
        output_format="list",
    )
    if not runs:
        asked = options.as_text() | {"seed": str(seed), "data_dir": str(data_dir)}
        words = [word for option, text in asked.items() for word in (f"--{option}", text)]
        subprocess.run(
            [sys.executable, "-m", "entrypoints.train", *words],
            env=os.environ | {"MLFLOW_EXPERIMENT_NAME": name},
            stdout=sys.stderr,
            check=True,
        )
        return measured(name, options, seed, data_dir)
    metrics = runs[0].data.metrics
    return metrics[names.TEST_ACCURACY], metrics[names.FIT_SECONDS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    arguments = parser.parse_args()
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{Path.cwd()}/accuracy.db"

    print("| | test accuracy, mean ± std | seeds | seconds of training a seed |")
    print("| --- | --- | --- | --- |")
    for name in arguments.only:
        options = COMMANDS[name]
        found = [measured(name, options, n, arguments.data_dir) for n in range(arguments.seeds)]
        accuracies, seconds = ([100 * a for a, _ in found], [s for _, s in found])
        std = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
        print(
            f"| {name} | {statistics.mean(accuracies):.2f} ± {std:.2f} % "
            f"({min(accuracies):.2f} to {max(accuracies):.2f}) | {len(found)} | "
            f"{statistics.median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f}) |",
            flush=True,
        )
    print()
    for name in arguments.only:
        print(f"    {command('train', COMMANDS[name])}")


if __name__ == "__main__":
    main()
