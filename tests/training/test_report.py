"""The report of a run, for histories of one epoch and without validation data."""

import numpy as np
import pytest

from fmnist import names
from fmnist.evaluation.tables import read_history
from fmnist.options import Train
from fmnist.results.training import CLASSES, Evaluation, History
from fmnist.training import report

CLASS_NAMES = tuple(f"class {number}" for number in range(CLASSES))
IMAGES = np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8)


def create_history(epochs: int, has_validation: bool) -> History:
    train = {names.TRAIN_LOSS: 0.5, names.TRAIN_ACCURACY: 0.75, names.EPOCH_SECONDS: 2.0}
    validation = {names.VAL_LOSS: 0.75, names.VAL_ACCURACY: 0.5} if has_validation else {}
    return History(tuple(train | validation for _ in range(epochs)))


@pytest.fixture
def evaluation() -> Evaluation:
    labels = np.arange(50) % CLASSES
    predicted = np.where(labels == 3, 4, labels)
    return Evaluation(labels, np.eye(CLASSES, dtype=np.float32)[predicted])


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("has_validation", [True, False])
def test_reports_of_short_histories_and_without_validation(
    evaluation: Evaluation, epochs: int, has_validation: bool
) -> None:
    history = create_history(epochs, has_validation)
    metrics = report.fit_metrics(history)
    assert metrics[names.FIT_SECONDS] == 2 * epochs
    assert (names.BEST_VAL_ACCURACY in metrics) == has_validation

    files = report.create_files("lenet5", Train(), history, epochs, evaluation, IMAGES, CLASS_NAMES)
    figures = [content for name, content in files.items() if name.endswith(".png")]
    assert len(figures) == 4
    assert all(content.startswith(b"\x89PNG") for content in figures)
    assert read_history(files[names.TABLE_HISTORY]) == history

    text = report.describe_run("lenet5", history, epochs, evaluation, CLASS_NAMES)
    assert "test accuracy 0.9000" in text
    assert f"epoch {epochs} of {epochs}: training accuracy 0.7500" in text
    assert ("validation accuracy 0.5000" in text) == has_validation
    assert "class 3" in text


@pytest.mark.parametrize(
    ("options", "handicaps"),
    [
        ({}, "(mean during the epoch)"),
        ({"dropout": 0.4}, "with dropout)"),
        ({"dropout": 0.4, "flip": "on", "label_smoothing": 0.1},
         "with dropout, augmentation, label smoothing)"),
    ],
)  # fmt: skip
def test_figures_say_how_training_metrics_are_measured(options: dict, handicaps: str) -> None:
    assert report.describe_training_metrics(Train(**options)).endswith(handicaps)


def test_validation_predictions_are_stored_with_their_rows() -> None:
    none = np.arange(0)
    no_rows = report.create_validation_file(none, none.astype(np.uint8), np.zeros((0, CLASSES)))
    assert no_rows == {}
    probabilities = np.eye(CLASSES, dtype=np.float32)[:2]
    rows, labels = np.array([7, 9]), np.array([0, 1], np.uint8)
    files = report.create_validation_file(rows, labels, probabilities)
    assert list(files) == [names.PREDICTIONS_VALIDATION]


def test_a_class_without_images_is_not_the_hardest() -> None:
    labels = np.array([0, 0, 1, 1])
    evaluation = Evaluation(labels, np.eye(3, dtype=np.float32)[[0, 0, 1, 2]])
    text = report.describe_run("lenet5", create_history(1, True), 1, evaluation, ("a", "b", "c"))
    assert "Hardest class: b (F1 0.667)" in text
