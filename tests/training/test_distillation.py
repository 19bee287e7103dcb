"""Soft labels mix labels and a teacher's predictions, row by row."""

import numpy as np
import pytest

from fmnist.data.dataset import Split
from fmnist.errors import BadInput
from fmnist.evaluation.tables import predictions_parquet
from fmnist.results.training import CLASSES, Evaluation
from fmnist.tracking.model import Teacher
from fmnist.training.distillation import load_teacher, soft_targets

LABELS = np.array([3, 1, 0, 9, 1], np.uint8)
TRAIN = Split(np.zeros((5, 28, 28), np.uint8), LABELS)


def teacher(rows: list[int]) -> Teacher:
    """Predicts the class after the true one with probability 0.91."""
    labels = LABELS[rows].astype(np.int64)
    probabilities = np.full((len(rows), CLASSES), 0.01, np.float32)
    probabilities[np.arange(len(rows)), (labels + 1) % CLASSES] = 0.91
    content = predictions_parquet(Evaluation(labels, probabilities), np.array(rows))
    return Teacher("some run", content)


def test_without_a_teacher_there_are_no_soft_labels() -> None:
    assert load_teacher("none", "digest") is None
    assert soft_targets(None, 0.5, TRAIN, np.arange(5)) is None


@pytest.mark.parametrize("repeats", [1, 2])
def test_each_row_is_mixed_with_its_own_prediction(repeats: int) -> None:
    targets = soft_targets(teacher([4, 2, 0, 1, 3] * repeats), 0.5, TRAIN, np.array([3, 0]))
    expected = np.full((2, CLASSES), 0.005, np.float32)
    expected[0, 9], expected[0, 0] = 0.505, 0.455
    expected[1, 3], expected[1, 4] = 0.505, 0.455
    assert targets == pytest.approx(expected)


def test_a_row_without_prediction_is_rejected() -> None:
    with pytest.raises(BadInput, match="no predictions for some"):
        soft_targets(teacher([0, 1]), 0.5, TRAIN, np.array([0, 2]))
