"""One trained model and its answers, by whichever way its spec asks for.

A network of its own is fitted to the images. Of a frozen backbone the head is fitted to the
features; then, if asked for, its last blocks together with the head.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal, Protocol

import keras
import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.errors import WorkFailed
from fmnist.models.factory import ModelSpec
from fmnist.options.recipe import Recipe
from fmnist.results.training import CLASSES, History
from fmnist.training import input_pipeline
from fmnist.training.callbacks import OnEpoch
from fmnist.training.checkpoints import Checkpoints
from fmnist.training.features.frozen import Features
from fmnist.training.fit import fit
from fmnist.training.input_pipeline import Rows
from fmnist.training.predict import PREDICTION_BATCH, predict

# Blocks that know something already take small steps: this share of the head's.
FINE_TUNING_RATE: Final = 0.01

_COMPARED_ROWS: Final = 64
_TOLERANCE: Final = 1e-4


class TrainingOptions(Protocol):
    """How to train; options of that name will do."""

    @property
    def epochs(self) -> int: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def dropout(self) -> float: ...
    @property
    def seed(self) -> int: ...
    @property
    def keep(self) -> Literal["best", "last"]: ...
    @property
    def unfreeze_blocks(self) -> int: ...
    @property
    def techniques(self) -> Recipe: ...


@dataclass(frozen=True, eq=False)
class TrainResult:
    """A whole model and what is known of it.

    Args:
        model: from uint8 images (n, 28, 28) to float32 probabilities (n, 10), with the weights
            that were kept.
        history: of all epochs.
        probabilities: (n, 10) float32, its answers on the test images.
        unseen: (m, 10) float32, its answers on the unseen rows.
        metrics: what a run has once: milliseconds a prediction, seconds for features.
        tags: where features came from.
    """

    model: keras.Model
    history: History
    probabilities: npt.NDArray[np.float32]
    unseen: npt.NDArray[np.float32]
    metrics: dict[str, float]
    tags: dict[str, str]


@dataclass(frozen=True, eq=False)
class DataSplits:
    """The rows of one training: some to fit, some to choose by, test images to answer.

    Args:
        used: all training rows in use.
        fit_rows: (n,) int64, which of them are fitted.
        held_out: (m,) int64, which of them choose the epoch; m may be 0.
        test_images: (k, 28, 28) uint8.
        unseen: (j,) int64, which of them are answered besides: those held out, or another fold.
        targets: (n, 10) float32, what to fit to instead of the labels of all rows in use.
    """

    used: Split
    fit_rows: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    unseen: npt.NDArray[np.int64] = field(default_factory=lambda: np.arange(0))
    targets: npt.NDArray[np.float32] | None = None

    def rows(self, inputs: npt.NDArray[np.uint8 | np.float32]) -> tuple[Rows, Rows | None]:
        """The rows to fit and those held out, if any, of what stands for the images in use."""
        fit = Rows(inputs, self.used.labels, self.fit_rows, self.targets)
        held_out = Rows(inputs, self.used.labels, self.held_out)
        return fit, held_out if len(held_out) else None

    def answers(
        self, model: keras.Model, inputs: npt.NDArray[np.uint8 | np.float32]
    ) -> npt.NDArray[np.float32]:
        """What a model of these inputs answers on the unseen rows, (j, 10) float32."""
        if not len(self.unseen):
            return np.zeros((0, CLASSES), np.float32)
        rows = Rows(inputs, self.used.labels, self.unseen)
        probabilities: npt.NDArray[np.float32] = model.predict(
            input_pipeline.in_file_order(rows, PREDICTION_BATCH), verbose=0
        )
        return probabilities


def train_model(
    spec: ModelSpec,
    division: DataSplits,
    recipe: TrainingOptions,
    *,
    features: Features | None,
    on_epoch: OnEpoch,
    checkpoints: Path | None = None,
) -> TrainResult:
    """The spec's model, trained, with its answers on the test images and on the unseen rows.

    Args:
        features: of the images in use and of the test images, see `frozen`; None for a spec
            without a backbone.
        on_epoch: called after each epoch with its number, counted from 1, and its metrics; of
            epochs that a checkpoint holds, at the start.
        checkpoints: folder to keep each epoch in, and to go on from; None: neither.

    Raises:
        WorkFailed: a loss is not finite, or the whole model answers differently from the head on
            the features.
    """
    techniques = recipe.techniques
    learn = partial(
        fit,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        learning_rate=recipe.learning_rate,
        seed=recipe.seed,
        keep=recipe.keep,
        on_epoch=on_epoch,
        techniques=techniques,
    )

    def kept(part: str) -> Checkpoints | None:
        return Checkpoints(checkpoints / part) if checkpoints else None

    images = division.used.images
    if spec.transfer is None or features is None:
        model = spec.build(recipe.dropout, recipe.seed, techniques.normalize == "on")
        history = learn(model, *division.rows(images), checkpoints=kept("whole"))
        probabilities, milliseconds = predict(model, division.test_images)
        metrics = {names.PREDICT_MS_PER_IMAGE: milliseconds}
        unseen = division.answers(model, images)
        return TrainResult(model, history, probabilities, unseen, metrics, {})
    parts = spec.transfer
    head = parts.head(recipe.dropout, recipe.seed)
    history = learn(head, *division.rows(features.used.array), checkpoints=kept("head"))
    probabilities = head.predict(features.test.array, batch_size=PREDICTION_BATCH, verbose=0)
    unseen = division.answers(head, features.used.array)
    model = parts.whole(head)
    milliseconds = _need_equal_answers(model, division.test_images, probabilities)
    if recipe.unfreeze_blocks:
        parts.unfreeze(recipe.unfreeze_blocks)
        history = _fine_tuned(
            model,
            history,
            partial(learn, model, *division.rows(images), checkpoints=kept("fine-tuned")),
            recipe,
            on_epoch,
        )
        probabilities, milliseconds = predict(model, division.test_images)
        unseen = division.answers(model, images)
    metrics = {names.PREDICT_MS_PER_IMAGE: milliseconds, **features.metrics}
    return TrainResult(model, history, probabilities, unseen, metrics, features.tags)


def _need_equal_answers(
    model: keras.Model,
    images: npt.NDArray[np.uint8],
    probabilities: npt.NDArray[np.float32],
) -> float:
    """Milliseconds a prediction of the whole model, whose answers must be those of its head."""
    answers, milliseconds = predict(model, images[:_COMPARED_ROWS])
    difference = float(np.abs(answers - probabilities[:_COMPARED_ROWS]).max())
    if not difference <= _TOLERANCE:
        raise WorkFailed(
            f"the whole model differs from its head on the features by {difference:.2g} in a "
            f"probability; wanted at most {_TOLERANCE:g}"
        )
    return milliseconds


def _fine_tuned(
    model: keras.Model,
    head_only: History,
    learn: Callable[..., History],
    recipe: TrainingOptions,
    on_epoch: OnEpoch,
) -> History:
    """All epochs, those of the head first; the model has the weights that `keep` asks for."""
    before = model.get_weights()
    more = learn(
        learning_rate=recipe.learning_rate * FINE_TUNING_RATE,
        on_epoch=lambda epoch, metrics: on_epoch(head_only.epochs + epoch, metrics),
        steps_per_call=1,  # a signal waits for a call to end, and these steps are long
    )
    history = History(head_only.rows + more.rows)
    if recipe.keep == "best" and history.best_epoch <= head_only.epochs:
        model.set_weights(before)
    return history
