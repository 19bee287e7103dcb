"""Compare training a head on VGG16 with the backbone in every epoch and with cached features.

    python -m benchmarks.transfer [--rows 6000] [--repeats 3] [--data_dir DIR]

Each measurement is a new process: VGG16 at 32 x 32, 10 epochs, batches of 128, a tenth of the rows
for validation, a sixth as many test images. The baseline is plain `keras.Model.fit` with
TensorFlow's own threads; its images are resized beforehand, which is not counted. Processor seconds
(of all threads) depend less on other work on the machine than wall time.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterable
from typing import Any

import numpy as np

from benchmarks.measuring import argument_parser, print_table, read_clocks, run_json
from fmnist import names
from fmnist.data import dataset, splits

EPOCHS, BATCH_SIZE, FOLDS = 10, 128, 5
PREDICT_BATCH_SIZES = (32, 64, 128, 256, 512)
SPEED_ROWS = 2048
UNITS = ("seconds", "cpu_seconds")


def load_subset(options: argparse.Namespace) -> tuple[dataset.Split, dataset.Split]:
    """Stratified subsets of the training and test data."""
    data = dataset.load(options.data_dir, "auto")
    train_rows = splits.stratified_subset(data.train.labels, options.rows, 0)
    test_rows = splits.stratified_subset(data.test.labels, options.rows // 6, 0)
    return data.train.take(train_rows), data.test.take(test_rows)


def train_with_backbone(options: argparse.Namespace) -> dict[str, Any]:
    """The baseline: the reference report's code, with the backbone inside the trained model."""
    from skimage.color import gray2rgb
    from skimage.transform import resize

    train, test = load_subset(options)
    images, test_images = (
        np.stack([gray2rgb(resize(image, (32, 32))) for image in split.images]).astype(np.float32)
        for split in (train, test)
    )
    fit_rows, validation_rows = splits.validation_split(train.labels, 0.1, 0)
    import keras

    backbone = keras.applications.VGG16(
        weights=options.weights_file, include_top=False, input_shape=(32, 32, 3)
    )
    backbone.trainable = False
    model = keras.Sequential(
        [
            backbone,
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    labels = keras.utils.to_categorical(train.labels, 10)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    started = read_clocks()
    model.fit(
        images[fit_rows],
        labels[fit_rows],
        batch_size=BATCH_SIZE,
        epochs=EPOCHS,
        verbose=0,
        validation_data=(images[validation_rows], labels[validation_rows]),
    )
    predicted = model.predict(test_images, batch_size=BATCH_SIZE, verbose=0).argmax(axis=1)
    return {
        **dict(zip(UNITS, (read_clocks() - started).tolist(), strict=True)),
        "images_through_backbone": EPOCHS * len(images) + len(test_images),
        "accuracy": float((predicted == test.labels).mean()),
    }


def train_with_features(options: argparse.Namespace) -> dict[str, Any]:
    """Train once, then, if the features are cached already, on five folds."""
    from fmnist.models import factory
    from fmnist.options import Train
    from fmnist.training import runtime
    from fmnist.training.features.cache import feature_cache_dir

    train, test = load_subset(options)
    train_options = Train(
        model="vgg16", weights=options.weights_file, epochs=EPOCHS, batch_size=BATCH_SIZE
    )
    spec = factory.create_spec(train_options)
    runtime.start(every_core=True)
    from fmnist.training.features.extraction import load_features
    from fmnist.training.input_pipeline import DataSplits
    from fmnist.training.train import train_model

    def train_on(fit_rows: np.ndarray, validation_rows: np.ndarray) -> tuple[np.ndarray, Any]:
        started = read_clocks()
        result = train_model(
            spec,
            DataSplits(train, fit_rows, validation_rows, test.images),
            train_options,
            features=load_features(
                spec, train.images, test.images, feature_cache_dir(options.cache_dir)
            ),
            on_epoch=lambda epoch, metrics: None,
        )
        return read_clocks() - started, result

    seconds, result = train_on(*splits.validation_split(train.labels, 0.1, 0))
    is_cached = result.tags["fmnist.feature_cache"] != "miss"
    fold_seconds = np.zeros(2)
    if is_cached:
        folds = np.random.default_rng(0).permutation(len(train)) % FOLDS
        for fold in range(FOLDS):
            fold_seconds += train_on(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))[
                0
            ]
    return {
        **dict(zip(UNITS, seconds.tolist(), strict=True)),
        **{f"folds_{u}": s for u, s in zip(UNITS, fold_seconds.tolist(), strict=True)},
        "feature_seconds": result.metrics[names.FEATURE_SECONDS],
        "head_seconds": sum(result.history.column(names.EPOCH_SECONDS)),
        "images_through_backbone": 0 if is_cached else len(train) + len(test),
        "accuracy": float((result.test_probabilities.argmax(1) == test.labels).mean()),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_predict(options: argparse.Namespace) -> dict[str, Any]:
    """Speed of `keras.Model.predict` on our feature extractor, at its best batch size."""
    from fmnist.models import factory
    from fmnist.options import Train

    images = load_subset(options)[0].images[:SPEED_ROWS]
    extractor = factory.create_spec(
        Train(model="vgg16", weights=options.weights_file)
    ).transfer.extractor
    times = []
    for batch_size in PREDICT_BATCH_SIZES:
        extractor.predict(images[:batch_size], batch_size=batch_size, verbose=0)
        started = read_clocks()
        extractor.predict(images, batch_size=batch_size, verbose=0)
        times.append((read_clocks() - started) / len(images))
    return summarize_speed(times)


def measure_extraction(options: argparse.Namespace) -> dict[str, Any]:
    """Speed of our extraction into a new cache, including writing and checksums."""
    from fmnist.models import factory
    from fmnist.options import Train
    from fmnist.training import runtime
    from fmnist.training.features.cache import feature_cache_dir

    images = load_subset(options)[0].images[: SPEED_ROWS + 1]
    spec = factory.create_spec(Train(model="vgg16", weights=options.weights_file))
    runtime.start(every_core=True)
    from fmnist.training.features.extraction import extract_features

    times = []
    for repeat in range(len(PREDICT_BATCH_SIZES)):
        with tempfile.TemporaryDirectory() as directory:
            extract_features(spec.transfer, images[:64], feature_cache_dir(directory))
            started = read_clocks()
            extract_features(
                spec.transfer, images[repeat % 2 :][:SPEED_ROWS], feature_cache_dir(directory)
            )
            times.append((read_clocks() - started) / SPEED_ROWS)
    return summarize_speed(times)


def summarize_speed(times: Iterable[np.ndarray]) -> dict[str, float]:
    """The best of several pairs of wall and processor seconds per image."""
    seconds, cpu_seconds = np.min(list(times), axis=0)
    return {"images_per_second": 1 / seconds, "cpu_ms_per_image": 1000 * cpu_seconds}


def save_weights(options: argparse.Namespace) -> dict[str, Any]:
    """Write the hed-bsds500 weights in the form that Keras's VGG16 loads, for both sides."""
    from fmnist.models import weights
    from fmnist.models.backbones import BACKBONES

    vgg16, origin = BACKBONES["vgg16"], "hed-bsds500"
    model = weights.load_backbone(vgg16, origin, 32, 0)
    model.save_weights(options.weights_file)
    return {}


MEASUREMENTS = {
    "weights": save_weights,
    "backbone": train_with_backbone,
    "features": train_with_features,
    "predict": measure_predict,
    "extraction": measure_extraction,
}


def main() -> None:
    parser = argument_parser(__doc__, repeats=3, rows=6000)
    for hidden in ("--measurement", "--weights_file", "--cache_dir"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measurement:
        print("\n" + json.dumps(MEASUREMENTS[options.measurement](options)))
        return

    with tempfile.TemporaryDirectory() as directory:
        command = ["benchmarks.transfer", "--data_dir", options.data_dir]
        command += ["--rows", str(options.rows), "--cache_dir", f"{directory}/cache"]
        command += ["--weights_file", f"{directory}/vgg16.weights.h5", "--measurement"]

        def run(measurement: str) -> dict[str, Any]:
            result = run_json([*command, measurement])
            print(f"{measurement}: {result}", file=sys.stderr, flush=True)
            return result

        run("weights")
        cold, cached, baseline = run("features"), run("features"), run("backbone")
        speeds = [(run("predict"), run("extraction")) for _ in range(options.repeats)]
    report(options.rows, cold, cached, baseline)
    print(f"\nmedians of {options.repeats}, each the best of {len(PREDICT_BATCH_SIZES)}")
    for unit in ("images_per_second", "cpu_ms_per_image"):
        predict, extraction = (statistics.median(s[side][unit] for s in speeds) for side in (0, 1))
        print(f"{unit}: keras.Model.predict {predict:.2f}, extraction {extraction:.2f}")


def report(
    rows: int, cold: dict[str, Any], cached: dict[str, Any], baseline: dict[str, Any]
) -> None:
    """Print the comparison of the trainings."""
    passes = "images_through_backbone"
    pairs = {"images through the backbone": (baseline[passes], cold[passes])}
    for unit in UNITS:
        pairs[f"{unit}, empty cache"] = (baseline[unit], cold[unit])
        pairs[f"{unit}, features cached"] = (baseline[unit], cached[unit])
        # The baseline's five folds are calculated as five trainings, not run.
        folds = (FOLDS * baseline[unit], cold[unit] + cached[f"folds_{unit}"])
        pairs[f"{unit}, {FOLDS} folds, empty cache"] = folds
    print(f"{rows:,} training and {rows // 6:,} test images, {EPOCHS} epochs\n")
    print_table(
        ["", "backbone in every epoch", "features once", "ratio"],
        [
            [name, f"{slow:,.1f}", f"{fast:,.1f}", f"{slow / fast:.1f}"]
            for name, (slow, fast) in pairs.items()
        ],
    )
    print(
        f"\nfeatures {cold['feature_seconds']:.1f} s, head {cold['head_seconds']:.1f} s; "
        f"accuracy {baseline['accuracy']:.4f} and {cold['accuracy']:.4f}; "
        f"peak memory {cold['peak_mb']:,.0f} MB"
    )


if __name__ == "__main__":
    main()
