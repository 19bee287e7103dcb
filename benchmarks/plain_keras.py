"""The baseline: LeNet-5 trained as the report did it, with nothing of this project.

Numpy float arrays, `keras.Model.fit`, batches of 128, a tenth of the rows for validation, one
progress bar. Frozen: it must not get faster as the project does.
"""

import argparse
import gzip
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def read(folder: Path, split: str) -> tuple:
    import numpy as np

    images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    scaled = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28, 1) / 255.0
    return scaled.astype("float32"), np.frombuffer(labels, np.uint8, offset=8)


def lenet5() -> "keras.Model":
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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()

    started = time.perf_counter()
    import keras

    import_seconds = time.perf_counter() - started
    keras.utils.set_random_seed(arguments.seed)
    images, labels = read(arguments.data_dir, "train")
    test_images, test_labels = read(arguments.data_dir, "t10k")
    model = lenet5()

    seconds: list[float] = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            seconds.append(time.perf_counter() - self.started)

    model.fit(
        images,
        keras.utils.to_categorical(labels, 10),
        batch_size=128,
        epochs=arguments.epochs,
        validation_split=0.1,
        verbose=1,
        callbacks=[Clock()],
    )
    _, accuracy = model.evaluate(test_images, keras.utils.to_categorical(test_labels), verbose=0)
    told = {"import_seconds": import_seconds, "epoch_seconds": seconds, "accuracy": accuracy}
    print("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
