import math
import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn import metrics

from fmnist.evaluation import metrics as scores
from fmnist.results.training import CLASSES, Evaluation


def answers(
    labels: Sequence[int], predicted: Sequence[int], confidences: Sequence[float] | None = None
) -> Evaluation:
    """Each image given its predicted class at its confidence (0.91), the rest spread evenly."""
    tops = np.full(len(labels), 0.91) if confidences is None else np.asarray(confidences)
    probabilities = np.repeat((1 - tops)[:, None] / (CLASSES - 1), CLASSES, axis=1)
    probabilities[np.arange(len(labels)), predicted] = tops
    return Evaluation(np.asarray(labels, np.int64), probabilities.astype(np.float32))


def guesses(seed: int, classes: int = CLASSES, rows: int = 500) -> Evaluation:
    """Random answers, about half of them right, on the first `classes` classes only."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=rows)
    logits = rng.normal(size=(rows, CLASSES)) + 2 * np.eye(CLASSES)[labels]
    logits[:, classes:] = -30
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Evaluation(labels, probabilities.astype(np.float32))


def test_scores_worked_out_by_hand() -> None:
    evaluation = answers(labels=[0, 0, 1, 1], predicted=[0, 1, 1, 1])

    assert scores.accuracy(evaluation) == 0.75
    assert scores.macro_f1(evaluation) == pytest.approx((2 / 3 + 4 / 5) / 2)
    zero, one, two = scores.per_class(evaluation)[:3]
    assert zero == scores.ClassScore(0, 1.0, 0.5, 2 / 3, support=2, predicted=1)
    assert one == scores.ClassScore(1, 2 / 3, 1.0, 4 / 5, support=2, predicted=3)
    assert two == scores.ClassScore(2, 0.0, 0.0, 0.0, support=0, predicted=0)


def test_confusion_counts_have_the_true_class_in_rows() -> None:
    counts = scores.confusion_counts(answers(labels=[3, 3, 3, 9], predicted=[3, 5, 5, 0]))

    assert counts.shape == (CLASSES, CLASSES)
    assert counts.dtype == np.int64
    assert {
        (int(row), int(column)): int(counts[row, column])
        for row, column in zip(*counts.nonzero(), strict=True)
    } == {(3, 3): 1, (3, 5): 2, (9, 0): 1}


@pytest.mark.parametrize("classes", [CLASSES, 7, 1])
def test_scores_agree_with_scikit_learn(classes: int) -> None:
    evaluation = guesses(seed=classes, classes=classes)
    truth, predicted = evaluation.labels, evaluation.predicted
    labels = range(CLASSES)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=labels, zero_division=0
    )

    assert scores.accuracy(evaluation) == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert scores.macro_f1(evaluation) == pytest.approx(
        metrics.f1_score(truth, predicted, average="macro")
    )
    assert scores.cross_entropy(evaluation) == pytest.approx(
        metrics.log_loss(truth, evaluation.probabilities, labels=labels), rel=1e-5, abs=1e-6
    )
    counts = metrics.confusion_matrix(truth, predicted, labels=labels)
    assert scores.confusion_counts(evaluation).tolist() == counts.tolist()
    rows = scores.per_class(evaluation)
    assert [row.label for row in rows] == list(labels)
    assert [row.precision for row in rows] == pytest.approx(precision)
    assert [row.recall for row in rows] == pytest.approx(recall)
    assert [row.f1 for row in rows] == pytest.approx(f1)
    assert [row.support for row in rows] == support.tolist()
    assert [row.predicted for row in rows] == counts.sum(axis=0).tolist()


def test_absent_classes_do_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluation = answers(labels=[4], predicted=[7])
        assert scores.macro_f1(evaluation) == 0.0
        assert all(row.f1 == 0.0 for row in scores.per_class(evaluation))


def test_perfect_answers_on_some_classes_have_a_macro_f1_of_one() -> None:
    assert scores.macro_f1(answers(labels=[2, 8], predicted=[2, 8])) == 1.0


def test_cross_entropy_is_the_mean_of_negative_logarithms() -> None:
    evaluation = answers(labels=[0, 1], predicted=[0, 1], confidences=[0.5, 0.25])

    assert scores.cross_entropy(evaluation) == pytest.approx(1.5 * math.log(2))


def test_cross_entropy_is_clipped_as_keras_does() -> None:
    sure_and_wrong = answers(labels=[0], predicted=[1], confidences=[1.0])
    sure_and_right = answers(labels=[0], predicted=[0], confidences=[1.0])

    assert scores.cross_entropy(sure_and_wrong) == pytest.approx(7 * math.log(10))
    assert scores.cross_entropy(sure_and_right) == pytest.approx(1e-7)


@pytest.mark.parametrize(
    ("right", "confidences", "error"),
    [
        ([1, 1, 1, 0], [0.8, 0.8, 0.8, 0.8], 0.05),
        # One bin too sure by 0.45, one not sure enough by 0.45: they must not cancel.
        ([1, 0, 1, 1], [0.95, 0.95, 0.55, 0.55], 0.45),
        # Within a bin, sure and unsure answers do cancel: 3 of 4 right at 0.75 on average.
        ([1, 1, 1, 0], [0.74, 0.76, 0.74, 0.76], 0.0),
        # So they do in the last bin, which certainty belongs to.
        ([0, 1], [1.0, 0.95], 0.475),
        ([1, 1], [1.0, 1.0], 0.0),
        ([0, 0], [1.0, 1.0], 1.0),
    ],
)
def test_calibration_error_worked_out_by_hand(
    right: list[int], confidences: list[float], error: float
) -> None:
    evaluation = answers([0 if hit else 1 for hit in right], [0] * len(right), confidences)

    assert scores.expected_calibration_error(evaluation) == pytest.approx(error, abs=1e-6)


def test_calibration_error_follows_the_definition_bin_by_bin() -> None:
    rng = np.random.default_rng(5)
    tops = rng.uniform(0.12, 1, size=2000)
    # Too sure in every other bin, so that other bins than these would give another error.
    hits = rng.uniform(size=2000) < np.where(np.ceil(tops * 15) % 2, 0.9 * tops, 1 - 0.5 * tops)
    evaluation = answers([0 if hit else 1 for hit in hits], [0] * 2000, tops.tolist())
    confidences = evaluation.probabilities.max(axis=1)
    right = evaluation.predicted == evaluation.labels
    expected = 0.0
    for upper in range(1, 16):
        members = (confidences > (upper - 1) / 15) & (confidences <= upper / 15)
        if members.any():
            gap = abs(right[members].mean() - confidences[members].mean())
            expected += members.mean() * gap

    assert expected > 0.01
    assert scores.expected_calibration_error(evaluation) == pytest.approx(expected, rel=1e-4)


def test_a_probability_a_hair_above_one_stays_in_the_last_bin() -> None:
    evaluation = answers([1, 0], [0, 0], [1.0, 0.95])
    evaluation.probabilities[0, 0] = np.nextafter(np.float32(1), np.float32(2))

    assert scores.expected_calibration_error(evaluation) == pytest.approx(0.475, abs=1e-6)


def test_mistakes_come_most_confident_first() -> None:
    evaluation = answers([0, 1, 2, 3, 4], [1, 1, 0, 0, 0], [0.5, 0.99, 0.9, 0.6, 0.9])

    assert scores.mistakes(evaluation, count=10).tolist() == [2, 4, 3, 0]
    assert scores.mistakes(evaluation, count=2).tolist() == [2, 4]


def test_mistakes_of_equal_confidence_keep_the_order_of_the_rows() -> None:
    evaluation = answers([1] * 500, [0] * 500, [0.5, 0.75] * 250)

    expected = [*range(1, 500, 2), *range(0, 500, 2)]
    assert scores.mistakes(evaluation, count=500).tolist() == expected


def test_no_mistakes_are_an_empty_array() -> None:
    found = scores.mistakes(answers([0, 1], [0, 1]), count=3)

    assert found.shape == (0,)
    assert found.dtype == np.int64


def test_mistakes_refuse_a_count_below_one() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        scores.mistakes(answers([0], [1]), count=0)
