"""Results are validated when they are created."""

import numpy as np
import pytest

from fmnist import names
from fmnist.results.training import Evaluation, History

ROWS = (
    {names.TRAIN_LOSS: 0.9, names.VAL_LOSS: 0.8},
    {names.TRAIN_LOSS: 0.5, names.VAL_LOSS: 0.4},
    {names.TRAIN_LOSS: 0.3, names.VAL_LOSS: 0.6},
)


def test_the_best_epoch_has_the_lowest_validation_loss() -> None:
    assert History(ROWS).best_epoch == 2
    assert History(ROWS[:1] * 3).best_epoch == 1
    assert History(tuple({names.TRAIN_LOSS: row[names.TRAIN_LOSS]} for row in ROWS)).best_epoch == 3


@pytest.mark.parametrize("rows", [(), ({"a": 1.0}, {"b": 1.0})])
def test_invalid_histories(rows) -> None:
    with pytest.raises(ValueError, match="epoch"):
        History(rows)


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (np.zeros(2, int), np.full((3, 10), 0.1, np.float32), "expected labels"),
        (np.zeros(0, int), np.zeros((0, 10), np.float32), "expected labels"),
        (np.zeros(2, np.uint8), np.full((2, 10), 0.1, np.float32), "expected int64"),
        (np.full(2, 10), np.full((2, 10), 0.1, np.float32), "0..9"),
        (np.zeros(2, int), np.full((2, 10), 0.2, np.float32), "sum to 1"),
        (np.zeros(2, int), np.full((2, 10), np.nan, np.float32), "sum to 1"),
    ],
)
def test_invalid_evaluations(labels, probabilities, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Evaluation(labels, probabilities)
