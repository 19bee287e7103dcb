"""Train one model: a network from scratch, or the head of a frozen backbone.

With a backbone, the head is fitted to cached features. With `unfreeze_blocks`, the last blocks of
the backbone are then fine-tuned together with the head.
"""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.errors import WorkFailed
from fmnist.evaluation import metrics
from fmnist.models.factory import ModelSpec
from fmnist.models.transfer import Transfer
from fmnist.options.train import ModelOptions
from fmnist.results.training import Evaluation, History
from fmnist.training.callbacks import OnEpoch
from fmnist.training.checkpoints import Checkpoints
from fmnist.training.features.cache import Features
from fmnist.training.fit import fit
from fmnist.training.input_pipeline import PREDICTION_BATCH, Examples, prediction_batches

# Learning rate of fine-tuning, relative to that of the head.
FINE_TUNING_RATE: Final = 0.01

_COMPARED_ROWS: Final = 64
_TOLERANCE: Final = 1e-4

Inputs = npt.NDArray[np.uint8 | np.float32]
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


@dataclass(frozen=True, eq=False)
class DataSplits:
    """The rows of one training.

    Args:
        data: all training rows in use; the other arguments are row numbers of it.
        train_rows: (n,) int64, rows to fit.
        validation_rows: (m,) int64, rows to select the epoch with; m may be 0.
        test_images: (k, 28, 28) uint8.
        scored_rows: (j,) int64, rows to predict as well: validation rows, or a held-out fold.
        targets: (len(data), classes) float32, soft labels to fit; None for the labels.
    """

    data: Split
    train_rows: npt.NDArray[np.int64]
    validation_rows: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    scored_rows: npt.NDArray[np.int64] = field(default_factory=lambda: np.arange(0))
    targets: Probabilities | None = None

    def examples(self, inputs: Inputs) -> tuple[Examples, Examples | None]:
        """Training and validation examples, with the images or their features as inputs."""
        labels, classes = self.data.labels, self.data.classes
        train = Examples(inputs, labels, self.train_rows, classes, self.targets)
        validation = Examples(inputs, labels, self.validation_rows, classes)
        return train, validation if len(validation) else None

    def predict_scored(self, model: keras.Model, inputs: Inputs) -> Probabilities:
        """Predictions for the scored rows, (j, classes) float32."""
        if not len(self.scored_rows):
            return np.zeros((0, self.data.classes), np.float32)
        examples = Examples(inputs, self.data.labels, self.scored_rows, self.data.classes)
        probabilities: Probabilities = model.predict(prediction_batches(examples), verbose=0)
        return probabilities


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
        on_epoch: called after each epoch with its number, starting at 1, and its metrics; for the
            epochs of a checkpoint, at the start.
        checkpoint_dir: where to store checkpoints and to resume from; None for no checkpoints.

    Raises:
        WorkFailed: a loss is not finite, or the whole model and its head predict differently.
    """
    if spec.transfer and features:
        return _train_transfer(spec.transfer, features, splits, options, on_epoch, checkpoint_dir)
    normalize = options.normalize == "on"
    model = spec.build(options.dropout, options.seed, normalize, splits.data.classes)
    images = splits.data.images
    history = fit(
        model,
        *splits.examples(images),
        options,
        on_epoch=on_epoch,
        checkpoints=_checkpoints(checkpoint_dir, "whole"),
    )
    return _predict_result(model, history, splits)


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


def _train_transfer(
    transfer: Transfer,
    features: Features,
    splits: DataSplits,
    options: ModelOptions,
    on_epoch: OnEpoch,
    checkpoint_dir: Path | None,
) -> TrainResult:
    head = transfer.build_head(options.dropout, options.seed, splits.data.classes)
    history = fit(
        head,
        *splits.examples(features.train.array),
        options,
        on_epoch=on_epoch,
        checkpoints=_checkpoints(checkpoint_dir, "head"),
    )
    model = transfer.attach(head)
    if options.unfreeze_blocks:
        transfer.unfreeze(options.unfreeze_blocks)
        history = _fine_tune(
            model, history, splits, options, on_epoch, _checkpoints(checkpoint_dir, "fine-tuned")
        )
        return _predict_result(model, history, splits, features)
    test = head.predict(features.test.array, batch_size=PREDICTION_BATCH, verbose=0)
    scored = splits.predict_scored(head, features.train.array)
    milliseconds = _check_same_predictions(model, splits.test_images, test)
    values = {names.PREDICT_MS_PER_IMAGE: milliseconds, **features.metrics}
    return TrainResult(model, history, test, scored, values, features.tags)


def _fine_tune(
    model: keras.Model,
    head_history: History,
    splits: DataSplits,
    options: ModelOptions,
    on_epoch: OnEpoch,
    checkpoints: Checkpoints | None,
) -> History:
    """Fine-tune the model; return the history of all epochs, those of the head first."""
    head_weights = model.get_weights()
    slower: dict[str, Any] = {"learning_rate": options.learning_rate * FINE_TUNING_RATE}
    tuned = fit(
        model,
        *splits.examples(splits.data.images),
        options.model_copy(update=slower),
        on_epoch=lambda epoch, values: on_epoch(head_history.epochs + epoch, values),
        checkpoints=checkpoints,
        steps_per_call=1,  # signals are handled between calls, and these steps are slow
    )
    history = History(head_history.rows + tuned.rows)
    if options.keep == "best" and history.best_epoch <= head_history.epochs:
        model.set_weights(head_weights)
    return history


def _predict_result(
    model: keras.Model, history: History, splits: DataSplits, features: Features | None = None
) -> TrainResult:
    test, milliseconds = predict(model, splits.test_images)
    scored = splits.predict_scored(model, splits.data.images)
    values = {names.PREDICT_MS_PER_IMAGE: milliseconds}
    if features is None:
        return TrainResult(model, history, test, scored, values, {})
    return TrainResult(model, history, test, scored, values | features.metrics, features.tags)


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


def _checkpoints(checkpoint_dir: Path | None, part: str) -> Checkpoints | None:
    return Checkpoints(checkpoint_dir / part) if checkpoint_dir else None
