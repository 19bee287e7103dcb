import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist.data.splits import hold_out, stratified_folds, subset
from fmnist.errors import BadInput

BALANCED = np.random.default_rng(0).permutation(np.arange(600) % 10).astype(np.uint8)


def test_hold_out_gives_each_class_its_share() -> None:
    fit, validation = hold_out(BALANCED, 0.1, seed=0)
    assert np.bincount(BALANCED[fit]).tolist() == [54] * 10
    assert np.bincount(BALANCED[validation]).tolist() == [6] * 10


@settings(deadline=None)
@given(
    st.lists(st.integers(20, 40), min_size=1, max_size=10),
    st.floats(0.1, 0.9),
    st.integers(0, 2**32 - 1),
)
def test_hold_out_shares_out_all_rows(counts: list[int], fraction: float, seed: int) -> None:
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    fit, validation = hold_out(labels, fraction, seed)
    assert fit.dtype == validation.dtype == np.int64
    assert np.array_equal(np.sort(np.concatenate([fit, validation])), np.arange(len(labels)))
    assert np.all(np.diff(fit) > 0)
    assert np.all(np.diff(validation) > 0)
    assert len(validation) == round(fraction * len(labels))
    shares = np.bincount(labels[validation]) - fraction * np.array(counts)
    assert np.abs(shares).max() < 1.5


def test_the_seed_alone_chooses_the_rows() -> None:
    first, again, other = (hold_out(BALANCED, 0.1, seed)[1].tolist() for seed in (1, 1, 2))
    assert first == again != other
    first, again, other = (subset(BALANCED, 100, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


def test_no_fraction_holds_out_nothing() -> None:
    fit, validation = hold_out(BALANCED, 0.0, seed=0)
    assert fit.tolist() == list(range(600))
    assert validation.dtype == np.int64
    assert validation.shape == (0,)


@pytest.mark.parametrize("fraction", [-0.1, 1.0, float("nan")])
def test_hold_out_refuses_other_fractions(fraction: float) -> None:
    with pytest.raises(BadInput, match="wanted a number from 0 to below 1, got"):
        hold_out(BALANCED, fraction, seed=0)


@pytest.mark.parametrize(
    ("counts", "fraction", "message"),
    [
        ([50, 1], 0.1, "to validate on .*, got none of class 1, which has 1 of 51 rows"),
        ([50, 1], 0.9, r"to fit .*, got none of class 1, which has 1 of 51 rows"),
        ([50, 50], 0.001, "to validate on .*, got none of class 0, which has 50 of 100 rows"),
        ([50, 50], 0.999, "to fit .*, got none of class 0, which has 50 of 100 rows"),
    ],
)
def test_hold_out_needs_every_class_on_both_sides(
    counts: list[int], fraction: float, message: str
) -> None:
    labels = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    with pytest.raises(BadInput, match=f"wanted a row of every class {message}; use more training"):
        hold_out(labels, fraction, seed=0)


@pytest.mark.parametrize("rows", [10, 100, 595, 599])
def test_subset_gives_each_class_its_share(rows: int) -> None:
    chosen = subset(BALANCED, rows, seed=0)
    assert chosen.dtype == np.int64
    assert len(np.unique(chosen)) == rows
    assert np.all(np.diff(chosen) > 0)
    counts = np.bincount(BALANCED[chosen])
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("rows", [0, 600])
def test_subset_of_all_rows_is_all_rows(rows: int) -> None:
    assert subset(BALANCED, rows, seed=0).tolist() == list(range(600))


@pytest.mark.parametrize("rows", [-1, 601])
def test_subset_refuses_more_rows_than_there_are(rows: int) -> None:
    with pytest.raises(BadInput, match=f"wanted 1 to 600 rows or 0 for all, got {rows}"):
        subset(BALANCED, rows, seed=0)


def test_subset_needs_a_row_of_every_class() -> None:
    with pytest.raises(BadInput, match="every class in a training set of 9, got none of class"):
        subset(BALANCED, 9, seed=0)


def test_folds_hold_every_row_out_once_a_repeat() -> None:
    folds = stratified_folds(BALANCED, folds=7, repeats=2, seed=0)
    assert [fold.key for fold in folds] == [(r, f) for r in (1, 2) for f in range(1, 8)]
    for repeat in (folds[:7], folds[7:]):
        held_out = np.concatenate([fold.held_out for fold in repeat])
        assert np.sort(held_out).tolist() == list(range(600))
    for fold in folds:
        assert fold.rest.dtype == fold.held_out.dtype == np.int64
        assert np.sort(np.concatenate([fold.rest, fold.held_out])).tolist() == list(range(600))
        counts = np.bincount(BALANCED[fold.held_out])
        assert counts.max() - counts.min() <= 1
    assert folds[0].held_out.tolist() != folds[7].held_out.tolist()


def test_folds_follow_from_the_seed_and_their_repeat() -> None:
    one = stratified_folds(BALANCED, folds=3, repeats=1, seed=4)
    two = stratified_folds(BALANCED, folds=3, repeats=2, seed=4)
    assert [f.held_out.tolist() for f in one] == [f.held_out.tolist() for f in two[:3]]
    other = stratified_folds(BALANCED, folds=3, repeats=1, seed=5)
    assert one[0].held_out.tolist() != other[0].held_out.tolist()


@pytest.mark.parametrize("folds", [1, 61])
def test_folds_need_a_row_of_every_class_each(folds: int) -> None:
    with pytest.raises(BadInput, match=rf"folds: wanted 2 to 60, got {folds}: class 0 has 60"):
        stratified_folds(BALANCED, folds, repeats=1, seed=0)
