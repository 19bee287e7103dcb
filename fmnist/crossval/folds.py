"""The folds of a cross-validation and the training of one fold."""

import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fmnist.crossval.processes import load_features
from fmnist.data import splits
from fmnist.data.dataset import Split
from fmnist.data.duplicates import TrainingRows
from fmnist.data.splits import Fold
from fmnist.models.factory import ModelSpec
from fmnist.options import Crossval
from fmnist.results.training import Evaluation, FoldResult
from fmnist.system.memory import peak_memory
from fmnist.training.features.cache import Features


@dataclass(frozen=True, eq=False)
class CrossvalInputs:
    """What the training of every fold needs.

    Args:
        training: the rows that are divided into folds.
        features: of all training and test rows, for a frozen backbone; otherwise None.
    """

    options: Crossval
    spec: ModelSpec
    training: TrainingRows
    test: Split
    features: Features | None = None


def split_folds(options: Crossval, labels: npt.NDArray[np.uint8]) -> tuple[Fold, ...]:
    """Return all folds of all repeats with their validation rows, as rows of `labels`.

    Raises:
        BadInput: a class has too few rows for the folds, or for validation rows in each of them.
    """
    fraction, seed = options.validation_fraction, options.split_seed
    return tuple(
        fold.split_validation(labels, fraction, _fold_seed(seed, fold))
        for fold in splits.stratified_folds(labels, options.folds, options.repeats, seed)
    )


def fold_splits(inputs: CrossvalInputs, fold: Fold) -> dict[str, Split]:
    """Return the rows of a fold by context: training, validation, held-out and test."""
    rows = {"training": fold.train, "validation": fold.validation, "held-out": fold.held_out}
    used = {name: inputs.training.split.take(rows[name]) for name in rows if len(rows[name])}
    return used | {"test": inputs.test}


def with_features(inputs: CrossvalInputs) -> CrossvalInputs:
    """Add the features of a frozen backbone, which all folds share as memory-mapped arrays.

    Raises:
        WorkFailed: the features cannot be stored, or the process that computed them died.
    """
    images = inputs.training.split.images, inputs.test.images
    features = load_features(inputs.spec, inputs.options.cache_dir, *images)
    return replace(inputs, features=Features(*features) if features else None)


def train_fold(inputs: CrossvalInputs, fold: Fold) -> FoldResult:
    """Train a model without the held-out rows; predict the held-out and the test rows.

    The epoch is selected on a fraction of the other folds. Initial weights, batch order and dropout
    follow from (seed, repeat, fold); a randomly initialized backbone is the same in all folds.
    """
    started = time.perf_counter()
    from fmnist.training import runtime

    runtime.start()
    from fmnist.training.input_pipeline import DataSplits
    from fmnist.training.train import train_model

    options, used, test = inputs.options, inputs.training.split, inputs.test
    trained = train_model(
        inputs.spec.copy(),  # fine-tuning changes the backbone that an earlier fold built
        DataSplits(used, fold.train, fold.validation, test.images, scored_rows=fold.held_out),
        options.model_copy(update={"seed": _fold_seed(options.seed, fold)}),
        features=inputs.features,
        on_epoch=lambda epoch, metrics: None,
    )
    held_out_labels = used.labels[fold.held_out].astype(np.int64)
    return FoldResult(
        repeat=fold.repeat,
        fold=fold.fold,
        history=trained.history,
        rows=inputs.training.numbers[fold.held_out],
        held_out=Evaluation(held_out_labels, trained.scored_probabilities),
        test=Evaluation(test.labels.astype(np.int64), trained.test_probabilities),
        seconds=time.perf_counter() - started,
        peak_bytes=peak_memory(),
        finished_at=time.time(),
    )


def _fold_seed(seed: int, fold: Fold) -> int:
    """Return a seed that is different in each fold."""
    return int(np.random.SeedSequence([seed, fold.repeat, fold.fold]).generate_state(1)[0])
