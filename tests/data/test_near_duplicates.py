from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from fmnist.data import dataset
from fmnist.data import near_duplicates as near
from fmnist.data.dataset import Split
from fmnist.data.pixel_stats import components, moments
from fmnist.results.eda import NearDuplicates


@pytest.fixture(scope="module")
def clean(small_data_dir: Path) -> dataset.FashionMNIST:
    return dataset.load(str(small_data_dir), "auto")


@pytest.fixture(scope="module")
def planted(clean: dataset.FashionMNIST) -> tuple[Split, Split]:
    """Training images that are test images with ever more noise, unchanged, and darker."""
    images = clean.train.images.copy()
    rng = np.random.default_rng(1)
    for place, amount in enumerate((1, 2, 4, 8, 16, 32, 64)):
        noise = rng.integers(-amount, amount + 1, size=(28, 28))
        images[10 * place] = np.clip(clean.test.images[place] + noise, 0, 255)
    images[100] = clean.test.images[50]
    images[200] = clean.test.images[55] * 0.86
    return Split(images, clean.train.labels), clean.test


def search(train: Split, test: Split) -> NearDuplicates:
    return near.near_duplicates(train, test, components(moments(train.images)))


def by_brute_force(train: Split, test: Split) -> dict[tuple[int, int], float]:
    """Every pair that the definition in `near_duplicates` allows, by scikit-image alone."""
    pairs = {}
    for row, one in enumerate(test.images[:60].astype(np.float64)):
        differences = ((train.images - one) ** 2).sum(axis=(1, 2))
        for match in np.flatnonzero(differences <= near.DIFFERENCE * (one**2).sum()):
            similarity = structural_similarity(
                test.images[row], train.images[match], data_range=255
            )
            if differences[match] > 0 and similarity >= near.SIMILARITY:
                pairs[row, int(match)] = float(similarity)
    return pairs


def test_planted_pairs_are_those_of_brute_force(planted: tuple[Split, Split]) -> None:
    found = search(*planted)
    wanted = by_brute_force(*planted)
    assert len(wanted) >= 4
    assert (55, 200) in wanted
    pairs = zip(found.test.tolist(), found.train.tolist(), strict=True)
    assert dict(zip(pairs, found.similarities.tolist(), strict=True)) == wanted
    assert (np.diff(found.similarities) <= 0).all()
    assert found.candidates >= len(found)


def test_what_is_not_changed_is_no_near_duplicate(planted: tuple[Split, Split]) -> None:
    assert 50 not in search(*planted).test


def test_a_clean_data_set_has_none(clean: dataset.FashionMNIST) -> None:
    found = search(clean.train, clean.test)
    assert len(found) == 0
    assert found.similarities.dtype == np.float64


def test_the_fast_screen_scores_as_scikit_image(clean: dataset.FashionMNIST) -> None:
    ones = clean.test.images[:40]
    noise = np.random.default_rng(0).integers(-90, 90, size=ones.shape)
    others = np.clip(ones + noise, 0, 255).astype(np.uint8)
    scores = near._similarities(ones.astype(np.float32), others.astype(np.float32))
    wanted = [
        structural_similarity(one, other, data_range=255)
        for one, other in zip(ones, others, strict=True)
    ]
    np.testing.assert_allclose(scores, wanted, atol=near._MARGIN / 2)


def test_blank_and_equal_images_are_searched_in_bounded_work(monkeypatch) -> None:
    monkeypatch.setattr(near, "CANDIDATES", 5)
    rng = np.random.default_rng(0)
    images = np.zeros((300, 28, 28), np.uint8)
    images[100:] = 200
    images[100:, 14, 14] = rng.integers(256, size=200)
    train = Split(images, np.zeros(300, np.uint8))
    test = train.take(np.arange(0, 300, 3))
    found = search(train, test)
    assert found.candidates <= 5 * len(test)
    assert np.isfinite(found.similarities).all()


def test_progress_is_told_to_the_end(planted: tuple[Split, Split]) -> None:
    told: list[float] = []
    train, test = planted
    near.near_duplicates(train, test, components(moments(train.images)), told.append)
    assert told == sorted(told)
    assert told[-1] == 1
