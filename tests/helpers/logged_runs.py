"""Runs of `train`, `crossval` and `eda` as they are logged, with answers that a test makes up."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import mlflow
import numpy as np

from fmnist import names
from fmnist.evaluation import metrics as scores
from fmnist.evaluation import tables
from fmnist.options import Crossval, Eda, Options, Train, configuration
from fmnist.results.training import CLASSES, Evaluation, History
from fmnist.tracking.run import open_run
from fmnist.training import report

CLASS_NAMES = tuple(f"class {label}" for label in range(CLASSES))
DATA = "d" * 32


@contextmanager
def store_at(uri: str) -> Iterator[None]:
    """Log the runs of this process in the store while the block runs."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


def evaluation_of(labels: np.ndarray, correct: int, seed: int = 0) -> Evaluation:
    """Predictions of which `correct` agree with the labels; the seed selects these rows."""
    rng = np.random.default_rng(seed)
    predicted = np.array(labels, dtype=np.int64)
    wrong = rng.permutation(len(labels))[: len(labels) - correct]
    predicted[wrong] = (predicted[wrong] + 1) % CLASSES
    confidences = rng.uniform(0.5, 0.9, len(labels))
    probabilities = np.repeat((1 - confidences[:, None]) / (CLASSES - 1), CLASSES, axis=1)
    probabilities[np.arange(len(labels)), predicted] = confidences
    return Evaluation(np.array(labels, dtype=np.int64), probabilities.astype(np.float32))


def make_evaluation(correct: int, rows: int = 200, seed: int = 0) -> Evaluation:
    """Predictions for `rows` labels that repeat 0 to 9."""
    return evaluation_of(np.arange(rows) % CLASSES, correct, seed)


def history(
    trained: Sequence[float] = (0.7, 0.8, 0.9),
    validated: Sequence[float] = (0.7, 0.78, 0.8),
    losses: Sequence[float] = (0.9, 0.6, 0.5),
) -> History:
    """One epoch for each training accuracy, validation accuracy and validation loss."""
    return History(
        tuple(
            {
                names.TRAIN_LOSS: loss,
                names.TRAIN_ACCURACY: fitted,
                names.VAL_LOSS: loss,
                names.VAL_ACCURACY: accuracy,
                names.EPOCH_SECONDS: 2.0,
            }
            for fitted, accuracy, loss in zip(trained, validated, losses, strict=True)
        )
    )


def log_train(
    options: Train,
    test: Evaluation,
    *,
    data: str = DATA,
    past: History | None = None,
    rows: Sequence[int] | None = None,
    tags: Mapping[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    files: Mapping[str, bytes | None] | None = None,
) -> str:
    """Log a run of `train`, and return its id.

    Args:
        files: files that replace those of the run; None removes one.
    """
    past = past or history()
    written: dict[str, bytes | None] = {
        names.TABLE_HISTORY: tables.history_csv(past),
        names.TABLE_PER_CLASS: tables.per_class_csv(scores.per_class(test), CLASS_NAMES),
        names.PREDICTIONS_TEST: tables.predictions_parquet(
            test, None if rows is None else np.array(rows)
        ),
        **(files or {}),
    }
    costs = {
        names.PARAMETERS_TOTAL: 44_426,
        names.PARAMETERS_TRAINABLE: 44_426,
        names.PREDICT_MS_PER_IMAGE: 0.05,
        names.MODEL_BYTES: 200_000,
    }
    summary = report.fit_metrics(past) | report.test_metrics(test) | costs | dict(metrics or {})
    with open_run("train", options, _tags(options, data) | dict(tags or {})) as run:
        run.log_summary(summary)
        run.log_files({name: content for name, content in written.items() if content is not None})
    return run.run_id


def log_crossval(
    options: Crossval, held_out: Sequence[float], *, data: str = DATA, mean: float = 0.8
) -> str:
    """The id of a run with an accuracy for each fold of one repeat."""
    lines = [f"1,{fold},{accuracy}" for fold, accuracy in enumerate(held_out, 1)]
    table = "\n".join([f"{names.REPEAT},{names.FOLD},fold_accuracy", *lines]) + "\n"
    with open_run("crossval", options, _tags(options, data)) as run:
        run.log_summary(
            {
                names.CV_VAL_ACCURACY_MEAN: float(np.mean(held_out)),
                names.CV_VAL_ACCURACY_STD: float(np.std(held_out)),
                names.CV_TEST_ACCURACY_MEAN: mean,
                names.CV_TEST_ACCURACY_STD: 0.01,
                names.CV_FOLDS: len(held_out),
            }
        )
        run.log_files({names.TABLE_FOLDS: table.encode()})
    return run.run_id


def log_eda(near: int, data: str = DATA) -> str:
    """The id of a run that has counted so many near-duplicates among the test rows."""
    with open_run("eda", Eda(), {names.TAG_DATA_DIGEST: data}) as run:
        run.log_summary({names.NEAR_DUPLICATE_TEST_ROWS: near})
    return run.run_id


def _tags(options: Options, data: str) -> dict[str, str]:
    tags = {
        names.TAG_DATA_DIGEST: data,
        names.TAG_CONFIG_DIGEST: configuration(options, data).digest,
    }
    weights = getattr(options, "weights", None)
    if weights is not None and getattr(options, "model", "") != "lenet5":
        tags |= {names.TAG_WEIGHTS: weights, names.TAG_WEIGHTS_DIGEST: weights}
    return tags
