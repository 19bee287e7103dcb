"""Measure test accuracy over several seeds for the recipes of docs/recipes.md.

    uv run --extra hed python -m benchmarks.accuracy [--repeats 5] [--only lenet5-60 ...]

Each seed is a run of `train`, stored in `accuracy.db` in the working directory, in an experiment
named after the recipe; finished runs are not repeated. The recipes were chosen on validation data:
do not choose options by these test accuracies.
"""

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

from mlflow import MlflowClient

from benchmarks.measuring import argument_parser, print_table
from fmnist import names

_STRONG: Final = {
    "recipe": "strong",
    "learning_rate": 0.003,
    "validation_fraction": 0,
    "keep": "last",
}
RECIPES: Final[dict[str, dict[str, object]]] = {
    "report": {},
    "lenet5-10": {**_STRONG, "epochs": 10, "batch_size": 32, "flip": "off", "translate": 0},
    "lenet5-60": {**_STRONG, "epochs": 60, "batch_size": 64},
    "convnet": {
        **_STRONG,
        "model": "convnet",
        "epochs": 14,
        "batch_size": 64,
        "weight_decay": 0.05,
        "random_erasing": 0.25,
        "label_smoothing": 0.1,
    },
    "vgg16": {
        "model": "vgg16",
        "weights": "hed-bsds500",
        "feature_layers": "multi",
        "input_size": 48,
        "epochs": 60,
        "learning_rate": 0.0003,
        "batch_size": 256,
    },
}


def find_metrics(client: MlflowClient, recipe: str, seed: int) -> dict[str, float] | None:
    """Metrics of the finished run of this recipe and seed, if there is one."""
    experiment = client.get_experiment_by_name(recipe)
    if experiment is None:
        return None
    condition = f"params.seed = '{seed}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment.experiment_id], condition, max_results=1)
    return dict(runs[0].data.metrics) if runs else None


def train(recipe: str, seed: int, data_dir: str) -> None:
    """Run `train`; its output goes to standard error."""
    options = {**RECIPES[recipe], "seed": seed, "data_dir": data_dir}
    command = [sys.executable, "-m", "entrypoints.train"]
    command += [word for name, value in options.items() for word in (f"--{name}", str(value))]
    process = subprocess.run(
        command,
        env=os.environ | {"MLFLOW_EXPERIMENT_NAME": recipe},
        stdout=sys.stderr,
        check=False,
    )
    if process.returncode:
        sys.exit(process.returncode)


def main() -> None:
    parser = argument_parser(__doc__, repeats=5)
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    options = parser.parse_args()
    store = f"sqlite:///{Path.cwd()}/accuracy.db"
    os.environ["MLFLOW_TRACKING_URI"] = store
    client = MlflowClient(store)
    rows = []
    for recipe in options.only:
        accuracies, seconds = [], []
        for seed in range(options.repeats):
            metrics = find_metrics(client, recipe, seed)
            if metrics is None:
                train(recipe, seed, options.data_dir)
                metrics = find_metrics(client, recipe, seed) or {}
            accuracies.append(100 * metrics[names.TEST_ACCURACY])
            seconds.append(metrics[names.FIT_SECONDS])
        deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
        rows.append(
            [
                recipe,
                f"{statistics.mean(accuracies):.2f} ± {deviation:.2f} % "
                f"({min(accuracies):.2f} to {max(accuracies):.2f})",
                str(options.repeats),
                f"{statistics.median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f})",
            ]
        )
    header = ["recipe", "test accuracy, mean ± std (range)", "seeds", "training seconds per seed"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
