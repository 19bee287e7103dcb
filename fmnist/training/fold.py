"""The folds of a cross-validation, and one of them from rows to plain results."""

import threading
import time
from functools import cache

import numpy as np

from fmnist.data import cleaning, splits
from fmnist.data.dataset import Split
from fmnist.data.splits import Fold
from fmnist.options import Crossval
from fmnist.results import Evaluation, FoldResult


def divide(options: Crossval, train: Split, test: Split) -> tuple[list[Fold], dict[str, float]]:
    """The folds to train, as rows of `train`, and how many rows were dropped before, by reason.

    Raises:
        BadInput: there are too few rows of a class to divide them so.
    """
    kept = cleaning.training_rows(train, test, options.drop_duplicates == "on")
    labels = train.labels
    rows = kept.rows[splits.subset(labels[kept.rows], options.train_size, options.seed)]
    divided = splits.stratified_folds(labels[rows], options.folds, options.repeats, options.seed)
    folds = [fold.among(rows) for fold in divided]
    for fold in folds:  # tried here, where a mistake is told before anything is trained
        splits.hold_out(labels[fold.rest], options.validation_fraction, _seed(options, fold))
    return folds, kept.counts


def train_fold(options: Crossval, train: Split, test: Split, fold: Fold) -> FoldResult:
    """One fold's network trained on the rest of the rows, its answers on held-out and test rows.

    The epoch is chosen on a part of the rest (`validation_fraction`), never on held-out or test
    rows. Weights, row order and dropout masks follow from (seed, repeat, fold).
    """
    started = time.perf_counter()
    _start_tensorflow()
    from fmnist.models.specs import SPECS
    from fmnist.training.fit import fit
    from fmnist.training.predict import predict

    seed = _seed(options, fold)
    rest = train.take(fold.rest)
    fit_rows, validation_rows = splits.hold_out(rest.labels, options.validation_fraction, seed)
    model = SPECS[options.model].build(options.dropout, seed)
    history = fit(
        model,
        rest.take(fit_rows),
        rest.take(validation_rows) if len(validation_rows) else None,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=seed,
        keep=options.keep,
        on_epoch=lambda epoch, metrics: None,
    )

    def answers(split: Split) -> Evaluation:
        probabilities, _ = predict(model, split.images)
        return Evaluation(split.labels.astype(np.int64), probabilities)

    return FoldResult(
        repeat=fold.repeat,
        fold=fold.fold,
        history=history,
        rows=fold.held_out,
        held_out=answers(train.take(fold.held_out)),
        test=answers(test),
        seconds=time.perf_counter() - started,
        finished_at=time.time(),
    )


@cache
def _start_tensorflow() -> None:
    """Settle TensorFlow, once a process.

    Its threads are those of every other fit: halves of a batch side by side cost no more than
    whole batches where all cores are taken, and give the last fold the cores that are left idle.
    """
    from tqdm import tqdm

    from fmnist.training import runtime

    # Its own lock is a semaphore of the system, which a process that is killed leaves behind.
    tqdm.set_lock(threading.RLock())
    runtime.start()


def _seed(options: Crossval, fold: Fold) -> int:
    numbers = [options.seed, fold.repeat, fold.fold]
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
