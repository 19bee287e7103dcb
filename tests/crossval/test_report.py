"""Metrics, files and description of a cross-validation and of its folds."""

from dataclasses import replace

import numpy as np
import pytest

from fmnist import names
from fmnist.crossval import fold_runs, report
from fmnist.data.dataset import FASHION_MNIST_DIGEST
from fmnist.errors import WorkFailed
from fmnist.options import Crossval
from fmnist.results.training import Evaluation, FoldFailed, FoldResult, History

TRAINING_ROW = {names.TRAIN_LOSS: 0.5, names.TRAIN_ACCURACY: 0.8, names.EPOCH_SECONDS: 1.0}
VALIDATION_ROW = {names.VAL_LOSS: 0.6, names.VAL_ACCURACY: 0.7}


def fold_result(fold: int, epochs: int, *, validation: bool = True) -> FoldResult:
    rng = np.random.default_rng(fold)
    labels = np.arange(40) % 10
    probabilities = rng.dirichlet(np.ones(10), 40).astype(np.float32)
    row = TRAINING_ROW | (VALIDATION_ROW if validation else {})
    answers = Evaluation(labels, probabilities)
    rows = np.arange(40) + 40 * fold
    return FoldResult(1, fold, History((row,) * epochs), rows, answers, answers, 3.0, 10**9, 1e9)


@pytest.mark.parametrize(
    ("epochs", "validation"), [((1, 1), True), ((1, 3), True), ((4, 2), False)]
)
def test_all_files_for_histories_of_any_length(data, epochs, validation: bool) -> None:
    results = [
        fold_result(number, each, validation=validation) for number, each in enumerate(epochs, 1)
    ]
    files = report.create_files("lenet5", results, None, data)
    assert files.keys() == {
        names.FIGURE_CV_ACCURACY, names.FIGURE_CV_CONVERGENCE, names.FIGURE_LABEL_ISSUES,
        names.TABLE_FOLDS, names.TABLE_LABEL_ISSUES, names.PREDICTIONS_OUT_OF_FOLD,
    }  # fmt: skip
    table = files[names.TABLE_FOLDS].decode().splitlines()
    assert len(table) == 1 + len(results)
    assert (names.BEST_EPOCH in table[0]) is validation


def test_the_interval_of_an_accuracy_ends_at_1() -> None:
    labels = np.arange(20) % 2
    perfect = Evaluation(labels, np.eye(2, dtype=np.float32)[labels])
    worse = Evaluation(labels, np.eye(2, dtype=np.float32)[np.r_[labels[:16], 1 - labels[16:]]])
    fold = fold_result(1, 1)
    folds = [
        replace(fold, fold=k, rows=np.arange(20), held_out=held_out, test=held_out)
        for k, held_out in enumerate((perfect, worse), 1)
    ]
    metrics = report.compute_metrics(folds, 2)
    assert (metrics[names.CV_VAL_ACCURACY_LOW], metrics[names.CV_VAL_ACCURACY_HIGH]) == (0, 1)


def test_fold_is_read_from_its_files() -> None:
    losses = np.random.default_rng(0).random(50)
    history = History(tuple({**TRAINING_ROW, names.TRAIN_LOSS: float(loss)} for loss in losses))
    fold = replace(fold_result(2, 2), history=history)
    parameters = {names.REPEAT: "1", names.FOLD: "2"}
    metrics, files = fold_runs.compute_metrics(fold), fold_runs.create_files(fold)
    read = fold_runs.read_fold(parameters, metrics, files)
    assert (read.key, read.history, read.seconds) == (fold.key, history, fold.seconds)
    assert read.rows.tolist() == fold.rows.tolist()
    np.testing.assert_array_equal(read.held_out.probabilities, fold.held_out.probabilities)
    np.testing.assert_array_equal(read.test.probabilities, fold.test.probabilities)
    with pytest.raises(ValueError, match="arquet"):
        fold_runs.read_fold(parameters, metrics, {**files, names.PREDICTIONS_FOLD: b"truncated"})


def test_failed_folds_are_named() -> None:
    first = fold_result(1, 1)
    with pytest.raises(WorkFailed, match=r"1 of 2 folds failed[^\n]*\n  repeat 2 fold 1: no rows"):
        report.require_all({(2, 1): FoldFailed(2, 1, "no rows", ""), first.key: first})
    assert report.require_all({first.key: first}) == [first]


@pytest.mark.parametrize(
    ("options", "digest", "shown"),
    [
        ({}, FASHION_MNIST_DIGEST, True),
        ({"seed": 3, "repeats": 2, "workers": 1}, FASHION_MNIST_DIGEST, True),
        ({}, "0" * 32, False),
        ({"model": "convnet"}, FASHION_MNIST_DIGEST, False),
        ({"train_size": 2000}, FASHION_MNIST_DIGEST, False),
        ({"recipe": "strong"}, FASHION_MNIST_DIGEST, False),
        ({"folds": 10}, FASHION_MNIST_DIGEST, False),
    ],
)
def test_reference_is_shown_only_for_its_model_settings_and_data(
    options: dict, digest: str, shown: bool
) -> None:
    reference = report.find_reference(Crossval(**options), digest)
    assert bool(reference) is shown
    folds = [fold_result(1, 1), fold_result(2, 1)]
    metrics = report.compute_metrics(folds, 2)
    text = report.describe_run("lenet5", folds, metrics, reference)
    assert f"{metrics[names.CV_VAL_ACCURACY_MEAN]:.4f}" in text
    assert ("reference report" in text) is shown


def test_drift_alarm_needs_two_earlier_runs() -> None:
    def run(mean: float) -> dict[str, float]:
        return {
            names.CV_VAL_ACCURACY_MEAN: mean, names.CV_VAL_ACCURACY_STD: 0.003, names.CV_FOLDS: 5,
        }  # fmt: skip

    assert report.find_drift(run(0.5), [{}, run(0.88), {}]) is None
    assert report.find_drift(run(0.88), [run(0.881), run(0.88)]) is None
    alarm = report.find_drift(run(0.5), [run(0.881), run(0.88)])
    assert alarm is not None
    assert "0.5000" in alarm
