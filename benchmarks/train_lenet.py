"""Compare the time per epoch of LeNet-5 in plain Keras and in this project.

    python -m benchmarks.train_lenet [--repeats 3] [--epochs 5] [--data_dir DIR]

Each training runs in a new process, and the implementations take turns. All validate on 6,000 rows
after every epoch. The first epoch includes compilation and is reported separately.
"""

import argparse
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measuring import argument_parser, format_spread, print_table, run_json
from fmnist.data import dataset

if TYPE_CHECKING:
    import keras

BATCH_SIZE = 128


def scale(images: np.ndarray) -> np.ndarray:
    """Images (n, 28, 28) uint8 as (n, 28, 28, 1) float32 in 0..1."""
    return (images[..., None] / 255.0).astype(np.float32)


# The baselines use nothing of this project but the data. Do not optimize them.


def keras_lenet5() -> "keras.Model":
    """LeNet-5 as in the reference report."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(6, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(120, activation="relu"),
            layers.Dense(84, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def train_with_keras(data: dataset.FashionMNIST, epochs: int, seed: int) -> dict[str, Any]:
    """float32 arrays, `keras.Model.fit`, one progress bar."""
    started = time.perf_counter()
    import keras

    import_seconds = time.perf_counter() - started
    epoch_seconds: list[float] = []

    class EpochTimer(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            epoch_seconds.append(time.perf_counter() - self.started)

    keras.utils.set_random_seed(seed)
    model = keras_lenet5()
    model.fit(
        scale(data.train.images),
        keras.utils.to_categorical(data.train.labels, 10),
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_split=0.1,
        callbacks=[EpochTimer()],
    )
    test_labels = keras.utils.to_categorical(data.test.labels, 10)
    _, accuracy = model.evaluate(scale(data.test.images), test_labels, verbose=0)
    return {"import": import_seconds, "epochs": epoch_seconds, "accuracy": accuracy}


def train_with_fmnist(data: dataset.FashionMNIST, epochs: int, seed: int) -> dict[str, Any]:
    """The training loop of this project, without tracking and plots."""
    from fmnist.data import splits

    fit_rows, validation_rows = splits.validation_split(data.train.labels, 0.1, seed)
    started = time.perf_counter()
    from fmnist.training import runtime

    runtime.start()
    from fmnist import names
    from fmnist.models.lenet5 import lenet5
    from fmnist.options import Train
    from fmnist.training.fit import fit
    from fmnist.training.input_pipeline import DataSplits
    from fmnist.training.train import predict

    import_seconds = time.perf_counter() - started
    model = lenet5(0.0, seed)
    history = fit(
        model,
        data.train.images,
        DataSplits(data.train, fit_rows, validation_rows, data.test.images),
        Train(epochs=epochs, batch_size=BATCH_SIZE, seed=seed, keep="last"),
        on_epoch=lambda epoch, metrics: None,
    )
    probabilities, _ = predict(model, data.test.images)
    accuracy = float((probabilities.argmax(axis=1) == data.test.labels).mean())
    return {
        "import": import_seconds,
        "epochs": history.column(names.EPOCH_SECONDS),
        "accuracy": accuracy,
    }


IMPLEMENTATIONS = {"plain Keras": train_with_keras, "fmnist": train_with_fmnist}


def main() -> None:
    parser = argument_parser(__doc__, repeats=3, epochs=5)
    parser.add_argument("--implementation", choices=IMPLEMENTATIONS, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.implementation:
        data = dataset.load(options.data_dir, "auto")
        train = IMPLEMENTATIONS[options.implementation]
        print("\n" + json.dumps(train(data, options.epochs, options.seed)))
        return

    results: dict[str, list[dict[str, Any]]] = {name: [] for name in IMPLEMENTATIONS}
    command = ["benchmarks.train_lenet", "--data_dir", options.data_dir]
    command += ["--epochs", str(options.epochs)]
    for seed in range(options.repeats):
        for name in IMPLEMENTATIONS:
            result = run_json([*command, "--implementation", name, "--seed", str(seed)])
            results[name].append(result)
            print(f"seed {seed}, {name}: {result}", file=sys.stderr)
    report(results)


def report(results: dict[str, list[dict[str, Any]]]) -> None:
    """Print medians and ranges, and the comparison with plain Keras."""
    later_epochs = {
        name: [statistics.median(result["epochs"][1:] or result["epochs"]) for result in runs]
        for name, runs in results.items()
    }
    rows = {
        "seconds per epoch after the first": later_epochs,
        "first epoch, including compilation (s)": {
            name: [result["epochs"][0] for result in runs] for name, runs in results.items()
        },
        "import (s)": {name: [r["import"] for r in runs] for name, runs in results.items()},
        "test accuracy (%)": {
            name: [100 * result["accuracy"] for result in runs] for name, runs in results.items()
        },
    }
    print_table(
        ["", *results],
        [[row, *(format_spread(cells[name]) for name in results)] for row, cells in rows.items()],
    )
    pairs = zip(later_epochs["plain Keras"], later_epochs["fmnist"], strict=True)
    ratios = [baseline / ours for baseline, ours in pairs]
    print(f"\nplain Keras takes {format_spread(ratios)} times as long per epoch (pairs of runs)")
    accuracy = {name: statistics.mean(v) for name, v in rows["test accuracy (%)"].items()}
    difference = accuracy["fmnist"] - accuracy["plain Keras"]
    seeds = len(results["fmnist"])
    print(f"mean test accuracy differs by {difference:+.2f} points ({seeds} seeds)")


if __name__ == "__main__":
    main()
