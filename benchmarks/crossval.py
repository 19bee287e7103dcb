"""Compare the time of cross-validation: plain Keras, one fold after another, and `crossval`.

    python -m benchmarks.crossval [--repeats 1] [--epochs 10] [--folds 5] [--data_dir DIR]

Each side is a new process, timed from start to end including imports; for `crossval` that includes
tracking, plots and the creation of the store. Processor seconds are reported too, because they
depend less on other work on the machine.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import argument_parser, print_table, run_in_turns, run_json, run_module
from benchmarks.train_lenet import BATCH_SIZE, keras_lenet5, scale
from fmnist.data import dataset

SCORES = ("cv_val_accuracy", "cv_test_accuracy")


def cross_validate_with_keras(data_dir: str, epochs: int, folds: int) -> dict[str, float]:
    """Train the folds in turn; a tenth of each fold's training rows is used for validation.

    This baseline uses nothing of this project but the data. Do not optimize it.
    """
    import keras
    from sklearn.model_selection import StratifiedKFold

    data = dataset.load(data_dir, "auto")
    keras.utils.set_random_seed(0)
    images, test_images = scale(data.train.images), scale(data.test.images)
    labels = keras.utils.to_categorical(data.train.labels, 10)
    test_labels = keras.utils.to_categorical(data.test.labels, 10)
    accuracies = []
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    for training_rows, validation_rows in splitter.split(images, data.train.labels):
        model = keras_lenet5()
        model.fit(
            images[training_rows],
            labels[training_rows],
            batch_size=BATCH_SIZE,
            epochs=epochs,
            validation_split=0.1,
        )
        on_fold = model.evaluate(images[validation_rows], labels[validation_rows], verbose=0)
        on_test = model.evaluate(test_images, test_labels, verbose=0)
        accuracies.append((on_fold[1], on_test[1]))
    means, deviations = np.mean(accuracies, axis=0), np.std(accuracies, axis=0)
    return {f"{score}_mean": float(value) for score, value in zip(SCORES, means, strict=True)} | {
        f"{score}_std": float(value) for score, value in zip(SCORES, deviations, strict=True)
    }


def cross_validate_with_fmnist(data_dir: str, epochs: int, folds: int) -> dict[str, float]:
    """Run the entry point with a new store and return the metrics of its run."""
    if Path(data_dir).is_dir():
        data_dir = str(Path(data_dir).resolve())
    with tempfile.TemporaryDirectory() as directory:
        store = f"sqlite:///{directory}/mlflow.db"
        options = {"data_dir": data_dir, "epochs": str(epochs), "folds": str(folds)}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        run_module(
            ["entrypoints.crossval", *words],
            directory=Path(directory),
            environment={"MLFLOW_TRACKING_URI": store},
        )
        from mlflow import MlflowClient

        [run] = MlflowClient(store).search_runs(["0"], "tags.`fmnist.kind` = 'crossval'")
        return dict(run.data.metrics)


def main() -> None:
    parser = argument_parser(__doc__, repeats=1, epochs=10, folds=5)
    parser.add_argument("--keras_only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    arguments = (options.data_dir, options.epochs, options.folds)
    if options.keras_only:
        print("\n" + json.dumps(cross_validate_with_keras(*arguments)))
        return

    keras_command = ["benchmarks.crossval", "--keras_only", "--data_dir", options.data_dir]
    keras_command += ["--epochs", str(options.epochs), "--folds", str(options.folds)]
    metrics, times = run_in_turns(
        {
            "plain Keras": lambda: run_json(keras_command),
            "fmnist": lambda: cross_validate_with_fmnist(*arguments),
        },
        options.repeats,
    )

    def row(name: str) -> list[str]:
        scores = [
            f"{100 * metrics[name][f'{score}_mean']:.2f} ± "
            f"{100 * metrics[name][f'{score}_std']:.2f} %"
            for score in SCORES
        ]
        return [name, *(f"{seconds:.0f}" for seconds in np.median(times[name], axis=0)), *scores]

    header = ["", "wall time (s)", "processor time (s)", "accuracy on the fold", "on the test data"]
    print_table(header, [row(name) for name in times])
    ratios = times["plain Keras"][:, 0] / times["fmnist"][:, 0]
    print(f"\nplain Keras takes {np.median(ratios):.2f} times as long")


if __name__ == "__main__":
    main()
