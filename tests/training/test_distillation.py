"""Soft labels are a mixture of what is true and what a teacher has answered, row by row."""

import numpy as np
import pytest

from fmnist.data.dataset import Split
from fmnist.errors import BadInput
from fmnist.evaluation.tables import predictions_parquet
from fmnist.options import Crossval, Train
from fmnist.results.training import CLASSES, Evaluation
from fmnist.tracking.model import Teacher
from fmnist.training import distillation

LABELS = np.array([3, 1, 0, 9, 1], np.uint8)
TRAIN = Split(np.zeros((5, 28, 28), np.uint8), LABELS)


def teacher(rows: list[int]) -> Teacher:
    """One that is 0.91 sure of the class after the true one."""
    labels = LABELS[rows].astype(np.int64)
    answers = np.full((len(rows), CLASSES), 0.01, np.float32)
    answers[np.arange(len(rows)), (labels + 1) % CLASSES] = 0.91
    content = predictions_parquet(Evaluation(labels, answers), np.array(rows))
    return Teacher("some run", content)


def test_no_teacher_means_labels() -> None:
    assert distillation.targets(None, 0.5, TRAIN, np.arange(5)) is None
    assert distillation.teacher_of("none", "digest") is None


def test_each_row_is_mixed_with_its_own_answer() -> None:
    targets = distillation.targets(teacher([4, 2, 0, 1, 3]), 0.5, TRAIN, np.array([3, 0]))
    expected = np.full((2, CLASSES), 0.005, np.float32)
    expected[0, 9], expected[0, 0] = 0.505, 0.455
    expected[1, 3], expected[1, 4] = 0.505, 0.455
    assert targets == pytest.approx(expected)


def test_repeats_are_averaged() -> None:
    once = distillation.targets(teacher([0, 1, 2, 3, 4]), 1.0, TRAIN, np.arange(5))
    twice = distillation.targets(teacher([0, 1, 2, 3, 4] * 2), 1.0, TRAIN, np.arange(5))
    assert twice == pytest.approx(once)


def test_a_row_without_answer_is_told() -> None:
    with pytest.raises(BadInput, match="no answer on some"):
        distillation.targets(teacher([0, 1]), 0.5, TRAIN, np.array([0, 2]))


def test_a_share_needs_a_teacher() -> None:
    with pytest.raises(BadInput, match="requires a teacher"):
        Train(distillation_weight=0.3)


def test_folds_have_no_teacher() -> None:
    """It would have seen the rows that they hold out."""
    with pytest.raises(BadInput, match="biases their accuracy"):
        Crossval(teacher="models:/lenet5@champion")
