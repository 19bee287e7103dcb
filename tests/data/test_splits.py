import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist.data.splits import (
    scored_splits,
    stratified_folds,
    stratified_subset,
    validation_split,
)
from fmnist.errors import BadInput

BALANCED = np.random.default_rng(0).permutation(np.arange(600) % 10).astype(np.uint8)
class_counts = st.lists(st.integers(20, 40), min_size=1, max_size=10)
seeds = st.integers(0, 2**32 - 1)


def shuffled_labels(counts: list[int]) -> np.ndarray:
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    return np.random.default_rng(0).permutation(labels)


@settings(deadline=None, max_examples=30)
@given(class_counts, st.floats(0.1, 0.9), seeds)
def test_validation_split_is_a_stratified_partition(
    counts: list[int], fraction: float, seed: int
) -> None:
    labels = shuffled_labels(counts)
    train, validation = validation_split(labels, fraction, seed)
    assert train.dtype == validation.dtype == np.int64
    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(len(labels)))
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(validation) > 0)
    assert len(validation) == round(fraction * len(labels))
    expected = fraction * np.bincount(labels)
    assert np.abs(np.bincount(labels[validation]) - expected).max() < 1.5


@settings(deadline=None, max_examples=30)
@given(class_counts, st.integers(20, 150), seeds)
def test_drawn_rows_equal_those_of_scikit_learn(counts: list[int], size: int, seed: int) -> None:
    from sklearn.model_selection import StratifiedKFold
    from sklearn.utils import resample

    labels = shuffled_labels(counts)
    size = min(size, len(labels) // 2)
    rows = np.arange(len(labels))
    drawn = resample(rows, replace=False, n_samples=size, random_state=seed, stratify=labels)
    assert stratified_subset(labels, size, seed).tolist() == sorted(drawn.tolist())
    assert validation_split(labels, size / len(labels), seed)[1].tolist() == sorted(drawn.tolist())
    state = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])
    for fold, (train, held_out) in zip(
        stratified_folds(labels, 5, 1, seed),
        StratifiedKFold(5, shuffle=True, random_state=state).split(rows, labels),
        strict=True,
    ):
        assert fold.train.tolist() == train.tolist()
        assert fold.held_out.tolist() == held_out.tolist()


def test_fraction_zero_gives_no_validation_rows() -> None:
    train, validation = validation_split(BALANCED, 0.0, seed=0)
    assert train.tolist() == list(range(600))
    assert validation.dtype == np.int64
    assert validation.shape == (0,)


@pytest.mark.parametrize(
    ("counts", "fraction", "message"),
    [
        ([50, 1], 0.1, "validation rows .*, got none of class 1, which has 1 of 51 rows"),
        ([50, 1], 0.9, r"training rows .*, got none of class 1, which has 1 of 51 rows"),
        ([50, 50], 0.001, "validation rows .*, got none of class 0, which has 50 of 100 rows"),
        ([50, 50], 0.999, "training rows .*, got none of class 0, which has 50 of 100 rows"),
    ],
)
def test_validation_split_needs_every_class_on_both_sides(
    counts: list[int], fraction: float, message: str
) -> None:
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    with pytest.raises(BadInput, match=f"expected every class in the {message}"):
        validation_split(labels, fraction, seed=0)


def test_subset_of_all_rows_is_all_rows() -> None:
    for size in (0, 600):
        assert stratified_subset(BALANCED, size, seed=0).tolist() == list(range(600))


def test_subset_rejects_impossible_sizes() -> None:
    with pytest.raises(BadInput, match="expected 1 to 600 rows or 0, got 601"):
        stratified_subset(BALANCED, 601, seed=0)
    with pytest.raises(BadInput, match="every class in a training set of 9 rows, got none of"):
        stratified_subset(BALANCED, 9, seed=0)


def test_each_row_is_held_out_once_per_repetition() -> None:
    folds = stratified_folds(BALANCED, folds=7, repeats=2, seed=0)
    assert [fold.key for fold in folds] == [(r, f) for r in (1, 2) for f in range(1, 8)]
    for repetition in (folds[:7], folds[7:]):
        held_out = np.concatenate([fold.held_out for fold in repetition])
        assert np.sort(held_out).tolist() == list(range(600))
    for fold in folds:
        assert fold.train.dtype == fold.held_out.dtype == np.int64
        assert np.sort(np.concatenate([fold.train, fold.held_out])).tolist() == list(range(600))
    assert folds[0].held_out.tolist() != folds[7].held_out.tolist()
    one = stratified_folds(BALANCED, folds=7, repeats=1, seed=0)
    assert [f.held_out.tolist() for f in one] == [f.held_out.tolist() for f in folds[:7]]


def test_folds_need_a_row_of_every_class() -> None:
    with pytest.raises(BadInput, match="folds: expected 2 to 60, got 61: class 0 has 60 of 600"):
        stratified_folds(BALANCED, 61, repeats=1, seed=0)


def test_scored_rows_are_never_trained_on() -> None:
    [single] = scored_splits(BALANCED, folds=0, fraction=0.1, seed=0)
    assert single.held_out is single.validation
    parts = scored_splits(BALANCED, folds=4, fraction=0.1, seed=0)
    assert np.sort(np.concatenate([part.held_out for part in parts])).tolist() == list(range(600))
    for part in parts:
        rows = np.concatenate([part.train, part.validation, part.held_out])
        assert np.sort(rows).tolist() == list(range(600))
