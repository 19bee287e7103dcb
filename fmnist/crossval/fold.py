"""The folds of a cross-validation, and one of them from rows to plain results."""

import time
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from fmnist.data import cleaning, splits
from fmnist.data.dataset import Split
from fmnist.data.splits import Fold
from fmnist.models import factory
from fmnist.models.factory import ModelSpec
from fmnist.options import Crossval
from fmnist.results.training import Evaluation, FoldResult
from fmnist.system.memory import peak_memory
from fmnist.training.features.frozen import Features


@dataclass(frozen=True, eq=False)
class Divided:
    """The rows of a cross-validation.

    Args:
        used: the training rows in use.
        numbers: (n,) int64, the number of each in the training file.
        folds: to train, as rows of `used`.
        dropped: how many rows were dropped before, by reason.
    """

    used: Split
    numbers: npt.NDArray[np.int64]
    folds: tuple[Fold, ...]
    dropped: dict[str, float]


def divide(options: Crossval, train: Split, test: Split) -> Divided:
    """The rows in use, divided as the options ask for.

    Raises:
        BadInput: there are too few rows of a class to divide them so.
    """
    training = cleaning.select_training_rows(options, train, test)
    used = training.split
    folds = splits.stratified_folds(used.labels, options.folds, options.repeats, options.seed)
    for fold in folds:  # tried here, where a mistake is told before anything is trained
        _hold_out(options, used, fold)
    return Divided(used, training.numbers, folds, training.dropped)


@dataclass(frozen=True, eq=False)
class CrossvalInputs:
    """What every fold needs; it goes to a process, or a machine, once.

    Args:
        features: of a frozen backbone, see `preparation`; else None.
    """

    options: Crossval
    spec: ModelSpec
    divided: Divided
    test: Split
    features: Features | None = None

    def unmapped(self) -> "CrossvalInputs":
        """The same for machines that do not have the files of the features."""
        return replace(self, features=self.features and self.features.unmapped())


def train_fold(material: CrossvalInputs, fold: Fold) -> FoldResult:
    """One fold's network trained on the rest of the rows, its answers on held-out and test rows.

    The epoch is chosen on a part of the rest (`validation_fraction`), never on held-out or test
    rows. Weights, row order and dropout masks follow from (seed, repeat, fold); a backbone that
    is drawn at random is the same in all folds.
    """
    started = time.perf_counter()
    _start_tensorflow()
    from fmnist.training.train import DataSplits, train_model

    options, used, test = material.options, material.divided.used, material.test
    fit_rows, validation_rows = _hold_out(options, used, fold)
    trained = train_model(
        factory.anew(material.spec),  # fine-tuning changes the backbone that an earlier fold built
        DataSplits(used, fit_rows, validation_rows, test.images, unseen=fold.held_out),
        options.model_copy(update={"seed": seed_of(options, fold)}),
        features=material.features,
        on_epoch=lambda epoch, metrics: None,
    )

    def answers(labels: npt.NDArray[np.uint8], given: npt.NDArray[np.float32]) -> Evaluation:
        return Evaluation(labels.astype(np.int64), given)

    return FoldResult(
        repeat=fold.repeat,
        fold=fold.fold,
        history=trained.history,
        rows=material.divided.numbers[fold.held_out],
        held_out=answers(used.labels[fold.held_out], trained.unseen),
        test=answers(test.labels, trained.probabilities),
        seconds=time.perf_counter() - started,
        peak_bytes=peak_memory(),
        finished_at=time.time(),
    )


@cache
def _start_tensorflow() -> None:
    """Settle TensorFlow, once a process.

    Its threads are those of every other fit: halves of a batch side by side cost no more than
    whole batches where all cores are taken, and give the last fold the cores that are left idle.
    """
    from fmnist.training import runtime

    runtime.start()


def _hold_out(options: Crossval, used: Split, fold: Fold) -> tuple[splits.Rows, splits.Rows]:
    """The rows to fit and the rows to choose the epoch by: a fold's rest, as rows of `used`."""
    parts = splits.validation_split(
        used.labels[fold.train], options.validation_fraction, seed_of(options, fold)
    )
    return fold.train[parts[0]], fold.train[parts[1]]


def seed_of(options: Crossval, fold: Fold) -> int:
    """All randomness of this fold."""
    numbers = [options.seed, fold.repeat, fold.fold]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
