"""Metrics compared with scikit-learn, with their definitions, and with values computed by hand."""

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from fmnist.evaluation import metrics
from fmnist.results.training import CLASSES, Evaluation


def predict(
    labels: Sequence[int], predicted: Sequence[int], confidences: Sequence[float] | None = None
) -> Evaluation:
    """Predictions with these confidences (0.91); the rest is distributed evenly."""
    tops = np.full(len(labels), 0.91) if confidences is None else np.asarray(confidences)
    probabilities = np.repeat((1 - tops)[:, None] / (CLASSES - 1), CLASSES, axis=1)
    probabilities[np.arange(len(labels)), predicted] = tops
    return Evaluation(np.asarray(labels, np.int64), probabilities.astype(np.float32))


def predict_randomly(seed: int, classes: int = CLASSES, rows: int = 500) -> Evaluation:
    """Predictions for the first `classes` classes, about half of them correct."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=rows)
    logits = rng.normal(size=(rows, CLASSES)) + 2 * np.eye(CLASSES)[labels]
    logits[:, classes:] = -30
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Evaluation(labels, probabilities.astype(np.float32))


def test_scores_of_classes_without_images() -> None:
    evaluation = predict(labels=[0, 0, 1, 1], predicted=[0, 1, 1, 1])
    zero, one, two = metrics.per_class(evaluation)[:3]
    assert zero == metrics.ClassScore(0, 1.0, 0.5, 2 / 3, support=2, predicted=1)
    assert one == metrics.ClassScore(1, 2 / 3, 1.0, 4 / 5, support=2, predicted=3)
    assert (two.support, two.precision) == (0, 0.0)
    assert math.isnan(two.recall)
    assert math.isnan(two.f1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.macro_f1(predict(labels=[4], predicted=[7])) == 0.0


@pytest.mark.parametrize("classes", [CLASSES, 7, 1])
def test_scores_equal_those_of_scikit_learn(classes: int) -> None:
    evaluation = predict_randomly(seed=classes, classes=classes)
    truth, predicted = evaluation.labels, evaluation.predicted
    labels = range(CLASSES)
    scores = sklearn_metrics.precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=np.nan
    )
    accuracy = sklearn_metrics.accuracy_score(truth, predicted)
    present = np.unique(truth)
    macro_f1 = sklearn_metrics.f1_score(truth, predicted, labels=present, average="macro")
    balanced = np.mean([np.mean(predicted[truth == label] == label) for label in present])
    loss = sklearn_metrics.log_loss(truth, evaluation.probabilities, labels=labels)
    assert metrics.accuracy(evaluation) == pytest.approx(accuracy)
    assert metrics.macro_f1(evaluation) == pytest.approx(macro_f1)
    assert metrics.balanced_accuracy(evaluation) == pytest.approx(balanced)
    assert metrics.cross_entropy(evaluation) == pytest.approx(loss, rel=1e-5, abs=1e-6)
    counts = sklearn_metrics.confusion_matrix(truth, predicted, labels=labels)
    assert metrics.confusion_counts(evaluation).tolist() == counts.tolist()
    rows = metrics.per_class(evaluation)
    for row, precision, recall, f1, support in zip(rows, *scores, strict=True):
        assert row.support == support
        if support:
            assert (row.precision, row.recall, row.f1) == pytest.approx((precision, recall, f1))
    assert [row.predicted for row in rows] == counts.sum(axis=0).tolist()


@pytest.mark.parametrize(
    ("labels", "predicted", "confidences", "loss"),
    [
        ([0, 1], [0, 1], [0.5, 0.25], 1.5 * math.log(2)),
        ([0], [1], [1.0], 7 * math.log(10)),  # clipped like in Keras
        ([0], [0], [1.0], 1e-7),
    ],
)
def test_cross_entropy(
    labels: list[int], predicted: list[int], confidences: list[float], loss: float
) -> None:
    evaluation = predict(labels, predicted, confidences)
    assert metrics.cross_entropy(evaluation) == pytest.approx(loss)


@pytest.mark.parametrize(
    ("correct", "confidences", "error"),
    [
        # One bin overconfident by 0.45, one underconfident by 0.45: they do not cancel.
        ([1, 0, 1, 1], [0.95, 0.95, 0.55, 0.55], 0.45),
        # Within a bin they do: 3 of 4 correct at 0.75 on average.
        ([1, 1, 1, 0], [0.74, 0.76, 0.74, 0.76], 0.0),
        # The last bin includes 1, and rounding errors above.
        ([0, 1], [np.nextafter(np.float32(1), np.float32(2)), 0.95], 0.475),
        ([0, 0], [1.0, 1.0], 1.0),
    ],
)
def test_calibration_error_computed_by_hand(
    correct: list[int], confidences: list[float], error: float
) -> None:
    evaluation = predict([0 if hit else 1 for hit in correct], [0] * len(correct), confidences)
    assert metrics.expected_calibration_error(evaluation) == pytest.approx(error, abs=1e-6)


def test_calibration_error_by_its_definition() -> None:
    rng = np.random.default_rng(5)
    tops = rng.uniform(0.12, 1, size=2000)
    # Overconfident in every other bin, so that other bins would give another error.
    hits = rng.uniform(size=2000) < np.where(np.ceil(tops * 15) % 2, 0.9 * tops, 1 - 0.5 * tops)
    evaluation = predict([0 if hit else 1 for hit in hits], [0] * 2000, tops.tolist())
    confidences = evaluation.probabilities.max(axis=1)
    correct = evaluation.predicted == evaluation.labels
    expected = 0.0
    for upper in range(1, 16):
        members = (confidences > (upper - 1) / 15) & (confidences <= upper / 15)
        if members.any():
            gap = abs(correct[members].mean() - confidences[members].mean())
            expected += members.mean() * gap
    assert expected > 0.01
    assert metrics.expected_calibration_error(evaluation) == pytest.approx(expected, rel=1e-4)


def test_mistakes_are_sorted_by_confidence() -> None:
    evaluation = predict([0, 1, 2, 3, 4], [1, 1, 0, 0, 0], [0.5, 0.99, 0.9, 0.6, 0.9])
    assert metrics.mistakes(evaluation, count=10).tolist() == [2, 4, 3, 0]
    assert metrics.mistakes(evaluation, count=2).tolist() == [2, 4]
    ties = predict([1] * 500, [0] * 500, [0.5, 0.75] * 250)
    expected = [*range(1, 500, 2), *range(0, 500, 2)]
    assert metrics.mistakes(ties, count=500).tolist() == expected
    none = metrics.mistakes(predict([0, 1], [0, 1]), count=3)
    assert none.shape == (0,)
    assert none.dtype == np.int64
