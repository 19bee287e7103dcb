import numpy as np
import pytest

from fmnist.data.dataset import FashionMNIST, Split
from fmnist.eda.audit import audit, class_statistics, sample_rows


@pytest.fixture
def split(data: FashionMNIST) -> Split:
    return data.train


def test_statistics_agree_with_numpy(split: Split) -> None:
    result = audit(split)
    assert result.rows == 600
    assert result.mean == pytest.approx(split.images.mean(dtype=np.float64))
    assert result.std == pytest.approx(split.images.std(dtype=np.float64))
    assert result.extremes == (split.images.min(), split.images.max())
    assert result.imbalance == 1
    assert result.missing_classes == []
    means, stds = class_statistics(split)
    for label in range(10):
        images = split.images[split.labels == label].astype(np.float64)
        counts = np.bincount(images.astype(int).ravel(), minlength=256)
        assert result.histogram[label].tolist() == counts.tolist()
        np.testing.assert_allclose(means[label], images.mean(axis=0))
        np.testing.assert_allclose(stds[label], images.std(axis=0))


def test_missing_class_has_no_statistics(split: Split) -> None:
    without_four = split.take(np.flatnonzero(split.labels != 4)[:300])
    assert audit(without_four).missing_classes == [4]
    means, stds = class_statistics(without_four)
    assert np.isnan(means[4]).all()
    assert np.isfinite(np.delete(stds, 4, axis=0)).all()


def test_samples_depend_on_class_and_seed(split: Split) -> None:
    rows = sample_rows(split, 12, seed=1)
    for label, label_rows in rows.items():
        assert len(set(label_rows)) == 12
        assert (split.labels[label_rows] == label).all()
    assert rows == sample_rows(split, 12, seed=1)
    assert rows != sample_rows(split, 12, seed=2)
    few = sample_rows(Split(split.images[:3], np.array([0, 0, 3], np.uint8)), 12, seed=0)
    assert (few[0], few[1], few[3]) == ([0, 1], [], [2])
