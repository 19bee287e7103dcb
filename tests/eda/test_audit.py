from pathlib import Path

import numpy as np
import pytest

from fmnist.data import dataset
from fmnist.data.dataset import Split
from fmnist.eda.audit import audit, class_statistics, sample_rows


@pytest.fixture
def split(small_data_dir: Path) -> Split:
    return dataset.load(str(small_data_dir), "auto").train


def test_statistics_agree_with_numpy(split: Split) -> None:
    result = audit(split)
    assert result.rows == 600
    assert result.mean == pytest.approx(split.images.mean(dtype=np.float64))
    assert result.std == pytest.approx(split.images.std(dtype=np.float64))
    assert result.extremes == (split.images.min(), split.images.max())
    assert result.imbalance == 1
    assert result.missing_classes == []
    for label in range(10):
        pixels = split.images[split.labels == label].ravel()
        assert result.histogram[label].tolist() == np.bincount(pixels, minlength=256).tolist()


def test_blank_and_constant_images_are_distinguished(split: Split) -> None:
    images = split.images.copy()
    images[[3, 500]] = 0
    images[9] = 17
    result = audit(Split(images, split.labels))
    assert result.blank.tolist() == [3, 500]
    assert result.constant.tolist() == [9]


def test_missing_class_has_no_statistics(split: Split) -> None:
    without_four = split.take(np.flatnonzero(split.labels != 4)[:300])
    assert audit(without_four).missing_classes == [4]
    means, stds = class_statistics(without_four)
    assert np.isnan(means[4]).all()
    assert np.isfinite(np.delete(stds, 4, axis=0)).all()


def test_class_statistics_agree_with_numpy(split: Split) -> None:
    means, stds = class_statistics(split)
    images = split.images[split.labels == 2].astype(np.float64)
    np.testing.assert_allclose(means[2], images.mean(axis=0))
    np.testing.assert_allclose(stds[2], images.std(axis=0))


def test_samples_depend_on_class_and_seed(split: Split) -> None:
    rows = sample_rows(split, 12, seed=1)
    for label, label_rows in rows.items():
        assert len(set(label_rows)) == 12
        assert (split.labels[label_rows] == label).all()
    assert rows == sample_rows(split, 12, seed=1)
    assert rows != sample_rows(split, 12, seed=2)
    few = sample_rows(Split(split.images[:3], np.array([0, 0, 3], np.uint8)), 12, seed=0)
    assert (few[0], few[1], few[3]) == ([0, 1], [], [2])
