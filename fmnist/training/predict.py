"""A trained model's answers, and what one costs."""

import time
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.evaluation import metrics
from fmnist.results.training import Evaluation

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


def flip_metrics(model: keras.Model, test: Split, plain: Evaluation) -> dict[str, float]:
    """The accuracy of two views: the mean answer on each image and its mirror image.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
    neural networks" (2012), section 4.1.

    Args:
        plain: what the model answers on the test images as they are.
    """
    mirrored = np.ascontiguousarray(test.images[:, :, ::-1])
    turned = model.predict(mirrored, batch_size=PREDICTION_BATCH, verbose=0)
    both = Evaluation(plain.labels, (plain.probabilities + turned) / 2)
    return {names.TEST_ACCURACY_FLIP: metrics.accuracy(both)}
