from pathlib import Path

import numpy as np
import pytest

from fmnist.data import dataset
from fmnist.data.dataset import Split
from fmnist.eda import audit


@pytest.fixture
def split(small_data_dir: Path) -> Split:
    return dataset.load(str(small_data_dir), "auto").train


def test_numbers_are_those_of_numpy(split: Split) -> None:
    found = audit.audit(split)
    assert found.rows == 600
    assert found.mean == pytest.approx(split.images.mean(dtype=np.float64))
    assert found.std == pytest.approx(split.images.std(dtype=np.float64))
    assert found.extremes == (split.images.min(), split.images.max())
    assert found.imbalance == 1
    assert found.missing_classes == ()
    for label in range(10):
        of_it = split.images[split.labels == label]
        told = found.of_class(label)
        assert told["images"] == 60
        assert told["pixel_mean"] == pytest.approx(of_it.mean(dtype=np.float64))
        assert told["pixel_std"] == pytest.approx(of_it.std(dtype=np.float64))
        assert told["zero_share"] == pytest.approx((of_it == 0).mean())


def test_blank_and_constant_images_are_told_apart(split: Split) -> None:
    images = split.images.copy()
    images[[3, 500]] = 0
    images[9] = 17
    found = audit.audit(Split(images, split.labels))
    assert found.blank.tolist() == [3, 500]
    assert found.constant.tolist() == [9]


def test_a_missing_class_is_told_without_numbers(split: Split) -> None:
    without = split.take(np.flatnonzero(split.labels != 4)[:300])
    found = audit.audit(without)
    assert found.missing_classes == (4,)
    assert found.of_class(4) == {
        "images": 0, "pixel_mean": None, "pixel_std": None, "zero_share": None
    }  # fmt: skip
    images = audit.class_images(without)
    assert np.isnan(images.means[4]).all()
    assert np.isfinite(np.delete(images.stds, 4, axis=0)).all()


def test_class_images_are_those_of_numpy(split: Split) -> None:
    found = audit.class_images(split)
    of_it = split.images[split.labels == 2].astype(np.float64)
    np.testing.assert_allclose(found.means[2], of_it.mean(axis=0))
    np.testing.assert_allclose(found.stds[2], of_it.std(axis=0))


def test_samples_are_of_their_class_and_follow_the_seed(split: Split) -> None:
    rows = audit.sample_rows(split.labels, 12, seed=1)
    for label, of_it in rows.items():
        assert len(set(of_it)) == 12
        assert (split.labels[of_it] == label).all()
    assert rows == audit.sample_rows(split.labels, 12, seed=1)
    assert rows != audit.sample_rows(split.labels, 12, seed=2)


def test_a_class_of_few_gives_the_few_it_has() -> None:
    rows = audit.sample_rows(np.array([0, 0, 3], np.uint8), 12, seed=0)
    assert rows[0] == [0, 1]
    assert rows[3] == [2]
    assert rows[1] == []
