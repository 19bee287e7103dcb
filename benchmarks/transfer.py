"""Transfer learning: the report's way (backbone in every epoch) against features computed once.

    uv run --extra hed python -m benchmarks.transfer --data_dir FOLDER [--rows 6000]

Each side runs in a process of its own, one after the other: VGG16 at 32 x 32, ten epochs, batches
of 128, a tenth of the rows to validate on, a sixth as many test images. The report's side is plain
`keras.Model.fit` with TensorFlow's own threads, its images resized beforehand and not counted.

Processor seconds (of all threads) stand beside the clock's: they are what can be compared when
the machine is busy with other work.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

EPOCHS, BATCH, FOLDS = 10, 128, 5
PREDICT_BATCHES = (32, 64, 128, 256, 512)
SPEED_ROWS = 2048


def data(arguments: argparse.Namespace):
    from fmnist.data import dataset, splits

    whole = dataset.load(arguments.data_dir, "auto")
    train = whole.train.take(splits.stratified_subset(whole.train.labels, arguments.rows, 0))
    test = whole.test.take(splits.stratified_subset(whole.test.labels, arguments.rows // 6, 0))
    return train, test


def report(arguments: argparse.Namespace) -> dict:
    """The report's way; counts what the backbone sees."""
    from skimage.color import gray2rgb
    from skimage.transform import resize

    from fmnist.data import splits

    train, test = data(arguments)
    small = [np.stack([gray2rgb(resize(image, (32, 32))) for image in split.images])
             for split in (train, test)]  # fmt: skip
    images, test_images = (array.astype(np.float32) for array in small)
    fit_rows, held_out = splits.validation_split(train.labels, 0.1, 0)
    import keras

    base = keras.applications.VGG16(
        weights=arguments.weights_file, include_top=False, input_shape=(32, 32, 3)
    )
    base.trainable = False
    layers = [base, keras.layers.Flatten(), keras.layers.Dense(256, activation="relu"),
              keras.layers.Dense(10, activation="softmax")]  # fmt: skip
    model = keras.Sequential(layers)
    labels = keras.utils.to_categorical(train.labels, 10)
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    started, worked = time.perf_counter(), time.process_time()
    model.fit(
        images[fit_rows], labels[fit_rows], batch_size=BATCH, epochs=EPOCHS, verbose=0,
        validation_data=(images[held_out], labels[held_out]),
    )  # fmt: skip
    answers = model.predict(test_images, batch_size=BATCH, verbose=0)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - worked,
        "passes": EPOCHS * len(images) + len(test_images),
        "accuracy": float((answers.argmax(1) == test.labels).mean()),
    }


def ours(arguments: argparse.Namespace) -> dict:
    """Ours: one training run, then five folds on the same features."""
    from fmnist.data import splits
    from fmnist.models import factory
    from fmnist.options import Train
    from fmnist.training import runtime
    from fmnist.training.features.store import folder_of

    train, test = data(arguments)
    options = Train(model="vgg16", weights=arguments.weights_file, epochs=EPOCHS, batch_size=BATCH)
    fit_rows, held_out = splits.validation_split(train.labels, 0.1, 0)
    runtime.start(every_core=True)
    from fmnist.training.features.frozen import frozen
    from fmnist.training.train import DataSplits, train_model

    spec = factory.spec(options)

    def once(fit_rows: np.ndarray, held_out: np.ndarray) -> tuple[np.ndarray, object]:
        started = clocks()
        division = DataSplits(train, fit_rows, held_out, test.images)
        done = train_model(
            spec,
            division,
            options,
            features=frozen(spec, train.images, test.images, folder_of(arguments.cache_dir)),
            on_epoch=lambda epoch, metrics: None,
        )
        return clocks() - started, done

    (seconds, cpu_seconds), done = once(fit_rows, held_out)
    folds = np.zeros(2)
    if arguments.folds:
        numbers = np.random.default_rng(0).permutation(len(train)) % FOLDS
        folds = sum(
            once(np.flatnonzero(numbers != fold), np.flatnonzero(numbers == fold))[0]
            for fold in range(FOLDS)
        )
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "feature_seconds": done.metrics["feature_seconds"],
        "head_seconds": sum(done.history.column("epoch_seconds")),
        "fold_seconds": folds[0],
        "fold_cpu_seconds": folds[1],
        "cache": done.tags["fmnist.feature_cache"],
        "passes": len(train) + len(test) if done.tags["fmnist.feature_cache"] == "miss" else 0,
        "accuracy": float((done.probabilities.argmax(1) == test.labels).mean()),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def clocks() -> np.ndarray:
    """Seconds of the clock and of all threads of this process."""
    return np.array([time.perf_counter(), time.process_time()])


def predict(arguments: argparse.Namespace) -> dict:
    """Images per second of `keras.Model.predict` on our extractor, by batch size."""
    from fmnist.models import factory
    from fmnist.options import Train

    images = data(arguments)[0].images[:SPEED_ROWS]
    spec = factory.spec(Train(model="vgg16", weights=arguments.weights_file))
    model = spec.transfer.extractor
    taken = {}
    for batch in PREDICT_BATCHES:
        model.predict(images[:batch], batch_size=batch, verbose=0)
        started = clocks()
        model.predict(images, batch_size=batch, verbose=0)
        taken[batch] = ((clocks() - started) / len(images)).tolist()
    return best(list(taken.values())) | {"by_batch": taken}


def best(taken: list) -> dict:
    """The most images a second, and the fewest processor milliseconds an image."""
    seconds, cpu_seconds = np.min(taken, axis=0)
    return {"images_per_second": 1 / seconds, "cpu_ms_per_image": 1000 * cpu_seconds}


def extract(arguments: argparse.Namespace) -> dict:
    """Images per second of our extraction into a new cache, writing and checksums included."""
    from fmnist.models import factory
    from fmnist.options import Train
    from fmnist.training import runtime
    from fmnist.training.features.store import folder_of

    images = data(arguments)[0].images[: SPEED_ROWS + 1]
    spec = factory.spec(Train(model="vgg16", weights=arguments.weights_file))
    runtime.start(every_core=True)
    from fmnist.training.features.extraction import features

    taken = []
    for repeat in range(len(PREDICT_BATCHES)):
        with tempfile.TemporaryDirectory() as folder:
            features(spec.transfer, images[:64], folder_of(folder))
            started = clocks()
            features(spec.transfer, images[repeat % 2 :][:SPEED_ROWS], folder_of(folder))
            taken.append(((clocks() - started) / SPEED_ROWS).tolist())
    return best(taken) | {"all": taken}


SIDES = {"report": report, "ours": ours, "predict": predict, "extract": extract}


def measured(side: str, arguments: argparse.Namespace, *more: str) -> dict:
    command = [sys.executable, "-m", "benchmarks.transfer", "--side", side,
               "--data_dir", arguments.data_dir, "--rows", str(arguments.rows),
               "--weights_file", arguments.weights_file, *more]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    result = dict(json.loads(done.stdout.splitlines()[-1]))
    print(f"{side}: {result}", file=sys.stderr, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--repeats", type=int, default=3, help="of the comparison of speeds")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--weights_file", default="", help=argparse.SUPPRESS)
    parser.add_argument("--cache_dir", help=argparse.SUPPRESS)
    parser.add_argument("--folds", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(SIDES[arguments.side](arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        # Both sides read the same file, in the form that Keras's own VGG16 takes.
        arguments.weights_file = f"{folder}/vgg16.weights.h5"
        save = (
            "import keras, sys; from fmnist.models import weights; "
            "from fmnist.models.backbones import BACKBONES; b = BACKBONES['vgg16']; "
            "o = 'hed-bsds500'; "
            "weights.built(b, o, weights.find(o, b), 32, 0).save_weights(sys.argv[1])"
        )
        subprocess.run([sys.executable, "-c", save, arguments.weights_file], check=True)
        cache = ("--cache_dir", f"{folder}/cache")
        cold = measured("ours", arguments, *cache)
        warm = measured("ours", arguments, *cache, "--folds")
        plain = measured("report", arguments)
        pairs = [
            (measured("predict", arguments), measured("extract", arguments))
            for _ in range(arguments.repeats)
        ]
    print(f"{arguments.rows:,} training and {arguments.rows // 6:,} test images, {EPOCHS} epochs\n")
    print("| | report's way | ours | times less |\n| --- | --- | --- | --- |")
    show("images through the backbone", plain["passes"], cold["passes"])
    for unit in ("seconds", "cpu_seconds"):
        show(f"{unit}, cold cache", plain[unit], cold[unit])
        show(f"{unit}, warm cache", plain[unit], warm[unit])
        # Five trainings of the report are five times one: not run, but counted.
        folds = cold[unit] + warm[f"fold_{unit}"]
        show(f"{unit}, {FOLDS} folds, cold cache", FOLDS * plain[unit], folds)
    print(f"\nfeatures {cold['feature_seconds']:.1f} s, head {cold['head_seconds']:.1f} s; "
          f"accuracy {plain['accuracy']:.4f} against {cold['accuracy']:.4f}; "
          f"peak memory {cold['peak_mb']:,.0f} MB\n")  # fmt: skip
    print(f"medians of {arguments.repeats}, each the best of five")
    for unit in ("images_per_second", "cpu_ms_per_image"):
        theirs, mine = (statistics.median(pair[side][unit] for pair in pairs) for side in (0, 1))
        print(f"{unit}: keras.Model.predict {theirs:.2f}, extraction {mine:.2f}")


def show(what: str, theirs: float, mine: float) -> None:
    print(f"| {what} | {theirs:,.1f} | {mine:,.1f} | {theirs / mine:.1f} |")


if __name__ == "__main__":
    main()
