"""One trained model and its answers, by whichever way its spec asks for.

A network of its own is fitted to the images. Of a frozen backbone the features come from the cache
and the head is fitted to them; then, if asked for, its last blocks together with the head.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import keras
import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.data.dataset import Split
from fmnist.errors import WorkFailed
from fmnist.models.specs import ModelSpec
from fmnist.results import History
from fmnist.training.batches import Rows
from fmnist.training.features.extraction import features
from fmnist.training.features.store import Cached
from fmnist.training.fit import OnEpoch
from fmnist.training.predict import PREDICTION_BATCH, predict

# Blocks that know something already take small steps: this share of the head's.
FINE_TUNING_RATE: Final = 0.01

_COMPARED_ROWS: Final = 256
_TOLERANCE: Final = 1e-4

# `fit.fit` with all settled but the model, the rows, `learning_rate` and `on_epoch`.
Fit = Callable[..., History]


@dataclass(frozen=True, eq=False)
class Trained:
    """A whole model and what is known of it.

    Args:
        model: from uint8 images (n, 28, 28) to float32 probabilities (n, 10), with the weights
            that were kept.
        history: of all epochs.
        probabilities: (n, 10) float32, its answers on the test images.
        metrics: what a run has once: milliseconds a prediction, seconds for features.
        tags: where weights and features came from.
    """

    model: keras.Model
    history: History
    probabilities: npt.NDArray[np.float32]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Division:
    """The rows of one training: some to fit, some to choose by, test images to answer.

    Args:
        used: all training rows in use.
        fit_rows: (n,) int64, which of them are fitted.
        held_out: (m,) int64, which of them choose the epoch; m may be 0.
        test_images: (k, 28, 28) uint8.
    """

    used: Split
    fit_rows: npt.NDArray[np.int64]
    held_out: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]

    def rows(self, inputs: npt.NDArray[np.uint8 | np.float32]) -> tuple[Rows, Rows | None]:
        """The rows to fit and those held out, if any, of what stands for the images in use."""
        fit, held_out = (Rows(inputs, self.used.labels, n) for n in (self.fit_rows, self.held_out))
        return fit, held_out if len(held_out) else None


def train_model(
    spec: ModelSpec,
    division: Division,
    fit: Fit,
    *,
    learning_rate: float,
    dropout: float,
    seed: int,
    keep: Literal["best", "last"],
    unfreeze_blocks: int,
    cache: Path,
    on_epoch: OnEpoch,
) -> Trained:
    """The spec's model, trained, with its answers on the test images.

    Args:
        fit: `fit.fit` with all settled but the model, the rows, `learning_rate` and `on_epoch`.
        cache: folder of the features; without a backbone there are none.

    Raises:
        WorkFailed: a loss is not finite, features cannot be stored, or the whole model answers
            differently from the head on the features.
    """
    fit = partial(fit, learning_rate=learning_rate, on_epoch=on_epoch)
    if spec.transfer is None:
        model = spec.build(dropout, seed)
        history = fit(model, *division.rows(division.used.images))
        probabilities, milliseconds = predict(model, division.test_images)
        return Trained(
            model, history, probabilities, {names.PREDICT_MS_PER_IMAGE: milliseconds}, {}
        )
    parts = spec.transfer
    train = features(parts, division.used.images, cache)
    test = features(parts, division.test_images, cache)
    head = parts.head(dropout, seed)
    history = fit(head, *division.rows(train.array))
    probabilities = head.predict(test.array, batch_size=PREDICTION_BATCH, verbose=0)
    model = parts.whole(head)
    milliseconds = _need_equal_answers(model, division.test_images, probabilities)
    metrics = {names.FEATURE_SECONDS: train.seconds + test.seconds}
    if unfreeze_blocks:
        parts.unfreeze(unfreeze_blocks)
        history = _fine_tuned(fit, model, division, history, learning_rate, keep, on_epoch)
        probabilities, milliseconds = predict(model, division.test_images)
    tags = {
        names.TAG_WEIGHTS_DIGEST: parts.weights_digest,
        names.TAG_FEATURE_CACHE: _status(train, test),
    }
    metrics[names.PREDICT_MS_PER_IMAGE] = milliseconds
    return Trained(model, history, probabilities, metrics, tags)


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
    fit: Fit,
    model: keras.Model,
    division: Division,
    head_only: History,
    learning_rate: float,
    keep: Literal["best", "last"],
    on_epoch: OnEpoch,
) -> History:
    """All epochs, those of the head first; the model has the weights that `keep` asks for."""
    before = model.get_weights()
    more = fit(
        model,
        *division.rows(division.used.images),
        learning_rate=learning_rate * FINE_TUNING_RATE,
        on_epoch=lambda epoch, metrics: on_epoch(head_only.epochs + epoch, metrics),
        steps_per_call=1,  # they take long enough for a signal to wait for
    )
    history = History(head_only.rows + more.rows)
    if keep == "best" and history.best_epoch <= head_only.epochs:
        model.set_weights(before)
    return history


def _status(*found: Cached) -> str:
    """`hit` when all was there, or else what was not."""
    return next((one.status for one in found if one.status != "hit"), "hit")
