"""A trained model's answers, and what one costs."""

import time
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

PREDICTION_BATCH: Final = 1000


def predict(
    model: keras.Model, images: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.float32], float]:
    """The class probabilities (n, 10) float32 of images (n, 28, 28) uint8, and ms per image.

    The time is that of whole batches of 1,000, after a first call that compiles.
    """
    model.predict(images[:PREDICTION_BATCH], batch_size=PREDICTION_BATCH, verbose=0)
    started = time.perf_counter()
    probabilities = model.predict(images, batch_size=PREDICTION_BATCH, verbose=0)
    seconds = time.perf_counter() - started
    return probabilities, 1000 * seconds / len(images)
