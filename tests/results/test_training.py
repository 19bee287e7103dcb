"""Results are validated when they are created, and can be pickled."""

import pickle

import numpy as np
import pytest

from fmnist import names
from fmnist.results.training import Evaluation, FoldResult, History

ROWS = (
    {names.TRAIN_LOSS: 0.9, names.VAL_LOSS: 0.8},
    {names.TRAIN_LOSS: 0.5, names.VAL_LOSS: 0.4},
    {names.TRAIN_LOSS: 0.3, names.VAL_LOSS: 0.6},
)


def evaluation(labels: list[int], predicted: list[int]) -> Evaluation:
    return Evaluation(np.array(labels), np.eye(10, dtype=np.float32)[predicted])


def test_a_history_survives_pickle() -> None:
    history = History(ROWS)
    assert pickle.loads(pickle.dumps(history)) == history


def test_the_best_epoch_has_the_lowest_validation_loss() -> None:
    assert History(ROWS).best_epoch == 2
    assert History(ROWS[:1] * 3).best_epoch == 1
    assert History(tuple({names.TRAIN_LOSS: row[names.TRAIN_LOSS]} for row in ROWS)).best_epoch == 3


@pytest.mark.parametrize("rows", [(), ({"a": 1.0}, {"b": 1.0})])
def test_invalid_histories(rows) -> None:
    with pytest.raises(ValueError, match="epoch"):
        History(rows)


def test_predicted_is_the_most_probable_class() -> None:
    assert evaluation([1, 2], [1, 3]).predicted.tolist() == [1, 3]


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


def fold_result(**changes) -> FoldResult:
    answers = evaluation([1, 2], [1, 3])
    settings = {
        "repeat": 1, "fold": 2, "history": History(ROWS), "rows": np.array([4, 7]),
        "held_out": answers, "test": answers, "seconds": 1.5, "peak_bytes": 9,
        "finished_at": 9.0,
    }  # fmt: skip
    return FoldResult(**(settings | changes))


def test_a_fold_survives_pickle() -> None:
    back = pickle.loads(pickle.dumps(fold_result()))
    assert back.key == (1, 2)
    assert back.rows.tolist() == [4, 7]
    assert back.held_out.predicted.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"rows": np.array([4])}, "row number for each of 2"), ({"fold": 0}, "from 1")],
)
def test_invalid_folds(changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fold_result(**changes)
