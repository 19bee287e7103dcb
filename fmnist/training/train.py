"""Train one model: a network from scratch, or the head of a frozen backbone.

With a backbone, the head is fitted to cached features. With `unfreeze_blocks`, the last blocks of
the backbone are then fine-tuned together with the head.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.errors import WorkFailed
from fmnist.evaluation import metrics
from fmnist.models.factory import ModelSpec
from fmnist.options.train import ModelOptions
from fmnist.results.training import Evaluation, History
from fmnist.training.callbacks import OnEpoch
from fmnist.training.features.cache import Features
from fmnist.training.fit import fit
from fmnist.training.input_pipeline import (
    PREDICTION_BATCH,
    DataSplits,
    Inputs,
    prediction_batches,
)

# Learning rate of fine-tuning, relative to that of the head.
FINE_TUNING_RATE: Final = 0.01

_COMPARED_ROWS: Final = 64
_TOLERANCE: Final = 1e-4

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class TrainResult:
    """A trained model with its predictions.

    Args:
        model: from uint8 images (n, 28, 28) to float32 probabilities (n, classes), with the weights
            that the option `keep` selects.
        test_probabilities: (n, classes) float32, predictions for the test images.
        scored_probabilities: (m, classes) float32, predictions for `DataSplits.scored_rows`.
        metrics: prediction time, and time of the feature extraction.
        tags: status of the feature cache.
    """

    model: keras.Model
    history: History
    test_probabilities: Probabilities
    scored_probabilities: Probabilities
    metrics: dict[str, float]
    tags: dict[str, str]


def train_model(
    spec: ModelSpec,
    splits: DataSplits,
    options: ModelOptions,
    *,
    features: Features | None,
    on_epoch: OnEpoch,
    checkpoint_dir: Path | None = None,
) -> TrainResult:
    """Train the model and predict the test images and the scored rows.

    Args:
        features: of the training rows in use and of the test images; None without a backbone.
        on_epoch: see `fit`.
        checkpoint_dir: where to store checkpoints and to resume from; None for no checkpoints.

    Raises:
        WorkFailed: a loss is not finite, or the whole model and its head predict differently.
    """

    def part(name: str) -> Path | None:
        return checkpoint_dir / name if checkpoint_dir else None

    images, classes, normalize = splits.data.images, splits.data.classes, options.normalize == "on"
    head = None
    if spec.transfer and features:
        head = spec.transfer.build_head(options.dropout, options.seed, normalize, classes)
        inputs = features.train.array
        history = fit(head, inputs, splits, options, on_epoch=on_epoch, checkpoint_dir=part("head"))
        model = spec.transfer.attach(head)
        if options.unfreeze_blocks:
            spec.transfer.unfreeze(options.unfreeze_blocks)
            history = _fine_tune(model, history, splits, options, on_epoch, part("fine-tuned"))
            head = None  # its inputs are no longer the cached features
    else:
        model = spec.build(options.dropout, options.seed, normalize, classes)
        history = fit(
            model, images, splits, options, on_epoch=on_epoch, checkpoint_dir=part("whole")
        )

    if head and features:
        test = head.predict(features.test.array, batch_size=PREDICTION_BATCH, verbose=0)
        scored = _predict_scored(head, features.train.array, splits)
        milliseconds = _check_same_predictions(model, splits.test_images, test)
    else:
        test, milliseconds = predict(model, splits.test_images)
        scored = _predict_scored(model, images, splits)
    values = {names.PREDICT_MS_PER_IMAGE: milliseconds} | (features.metrics if features else {})
    return TrainResult(model, history, test, scored, values, features.tags if features else {})


def predict(model: keras.Model, images: npt.NDArray[np.uint8]) -> tuple[Probabilities, float]:
    """Class probabilities (n, classes) float32 of images (n, 28, 28) uint8, and ms per image.

    The time is that of batches of 1,000 images, after a first call that compiles.
    """
    model.predict(images[:PREDICTION_BATCH], batch_size=PREDICTION_BATCH, verbose=0)
    started = time.perf_counter()
    probabilities = model.predict(images, batch_size=PREDICTION_BATCH, verbose=0)
    seconds = time.perf_counter() - started
    return probabilities, 1000 * seconds / len(images)


def flip_metrics(model: keras.Model, test: Split, evaluation: Evaluation) -> dict[str, float]:
    """Accuracy of the mean prediction for each test image and its mirror image.

    Source: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
    neural networks" (2012), section 4.1.

    Args:
        evaluation: predictions for the test images without mirroring.
    """
    mirrored = np.ascontiguousarray(test.images[:, :, ::-1])
    probabilities = model.predict(mirrored, batch_size=PREDICTION_BATCH, verbose=0)
    mean = Evaluation(evaluation.labels, (evaluation.probabilities + probabilities) / 2)
    return {names.TEST_ACCURACY_FLIP: metrics.accuracy(mean)}


def _predict_scored(model: keras.Model, inputs: Inputs, splits: DataSplits) -> Probabilities:
    if not len(splits.scored_rows):
        return np.zeros((0, splits.data.classes), np.float32)
    batches = prediction_batches(inputs, splits.data, splits.scored_rows)
    return model.predict(batches, verbose=0)


def _fine_tune(
    model: keras.Model,
    head_history: History,
    splits: DataSplits,
    options: ModelOptions,
    on_epoch: OnEpoch,
    checkpoint_dir: Path | None,
) -> History:
    """Fine-tune the model; return the history of all epochs, those of the head first."""
    head_weights = model.get_weights()
    rate = {"learning_rate": options.learning_rate * FINE_TUNING_RATE}
    tuned = fit(
        model,
        splits.data.images,
        splits,
        options.model_copy(update=rate),
        on_epoch=lambda epoch, values: on_epoch(head_history.epochs + epoch, values),
        checkpoint_dir=checkpoint_dir,
        steps_per_call=1,  # signals are handled between calls, and these steps are slow
    )
    history = History(head_history.rows + tuned.rows)
    if options.keep == "best" and history.best_epoch <= head_history.epochs:
        model.set_weights(head_weights)
    return history


def _check_same_predictions(
    model: keras.Model, images: npt.NDArray[np.uint8], head_probabilities: Probabilities
) -> float:
    """Compare the whole model with its head; return the milliseconds per image of the model."""
    probabilities, milliseconds = predict(model, images[:_COMPARED_ROWS])
    difference = float(np.abs(probabilities - head_probabilities[:_COMPARED_ROWS]).max())
    if not difference <= _TOLERANCE:
        raise WorkFailed(
            f"the model differs from its head on the features by {difference:.2g} in a "
            f"probability, expected at most {_TOLERANCE:g}"
        )
    return milliseconds
