"""Measure the test accuracy of the recipes of docs/recipes.md over several seeds.

    python -m benchmarks.accuracy [--repeats 5] [--only lenet5-60 ...]

Each seed is a run of `train` in `accuracy.db` in the working directory. Its result is added to
`accuracy.json` when it has finished, and the same command continues where it was stopped, within a
training too. Results of other code or data are measured again. The recipes were chosen on
validation data: do not choose options by these test accuracies.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mlflow import MlflowClient

from benchmarks.measuring import argument_parser, print_table
from fmnist import names
from fmnist.data import dataset
from fmnist.models import factory
from fmnist.options import Train
from fmnist.options.recipe import RECIPES
from fmnist.results.steps import Step, command_of

METRICS: Final = (names.TEST_ACCURACY, names.FIT_SECONDS)
Results = dict[str, dict[str, float | str]]


def measure(options: Train, results_path: Path, data_digest: str) -> dict[str, float | str]:
    """Return the result of a recipe and seed from the file, or train and add it."""
    results: Results = json.loads(results_path.read_text()) if results_path.exists() else {}
    key = f"{options.recipe}, seed {options.seed}"
    digest = factory.create_spec(options).configuration(options, data_digest).digest
    if results.get(key, {}).get("config_digest") == digest:
        print(f"{key}: already measured", file=sys.stderr)
        return results[key]
    metrics = train(Step(key, "train", options, digest))
    results[key] = {"config_digest": digest, **{name: metrics[name] for name in METRICS}}
    temporary = results_path.with_suffix(".new")
    temporary.write_text(json.dumps(results, indent=2))
    temporary.replace(results_path)
    return results[key]


def train(step: Step) -> dict[str, float]:
    """Run `train`, with its output on standard error; return its metrics."""
    process = subprocess.run(command_of([step]), stdout=sys.stderr, check=False)
    if process.returncode:
        sys.exit(process.returncode)
    condition = f"tags.`{names.TAG_CONFIG_DIGEST}` = '{step.digest}' and status = 'FINISHED'"
    [run, *_] = MlflowClient().search_runs(["0"], condition, max_results=1)
    return dict(run.data.metrics)


def summarize(recipe: str, accuracies: Sequence[float], seconds: Sequence[float]) -> list[str]:
    """The row of a recipe in the table."""
    deviation = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
    return [
        recipe,
        f"{statistics.mean(accuracies):.2f} ± {deviation:.2f} % "
        f"({min(accuracies):.2f} to {max(accuracies):.2f})",
        str(len(accuracies)),
        f"{statistics.median(seconds):.0f} ({min(seconds):.0f} to {max(seconds):.0f})",
    ]


def main() -> None:
    parser = argument_parser(__doc__, repeats=5)
    recipes = [name for name, recipe in RECIPES.items() if recipe.accuracy]
    parser.add_argument("--only", nargs="+", choices=recipes, default=recipes)
    parser.add_argument("--results", type=Path, default=Path("accuracy.json"))
    options = parser.parse_args()
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{Path.cwd()}/accuracy.db"
    data_digest = dataset.load(options.data_dir, "auto").digest
    rows = []
    for recipe in options.only:
        measured = [
            measure(
                Train(recipe=recipe, seed=seed, data_dir=options.data_dir),
                options.results,
                data_digest,
            )
            for seed in range(options.repeats)
        ]
        accuracies, seconds = ([float(each[name]) for each in measured] for name in METRICS)
        rows.append(summarize(recipe, [100 * accuracy for accuracy in accuracies], seconds))
        print(" | ".join(rows[-1]), file=sys.stderr)
    header = ["recipe", "test accuracy, mean ± std (range)", "seeds", "training seconds per seed"]
    print_table(header, rows)


if __name__ == "__main__":
    main()
