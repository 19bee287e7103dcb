"""The feature cache can be listed and pruned by age or size."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from fmnist.__main__ import main
from fmnist.training.features.cache import METADATA, entry_lock, feature_cache_dir, load_or_compute
from fmnist.training.features.cache_cli import CacheEntry, prune, read_entries


@pytest.fixture
def cache_dir(tmp_path: Path) -> Path:
    """Three entries of 400,000 bytes, unused for 0, 1 and 2 days, with the weights a, b and c."""
    folder = feature_cache_dir(str(tmp_path))
    shape = (1000, 100)
    for days, weights in enumerate("abc"):
        key_fields = {"backbone": "vgg16", "weights": weights}
        load_or_compute(folder, key_fields, shape, lambda slices: (np.zeros(shape) for _ in slices))
        [entry] = [e for e in read_entries(folder) if e.key_fields["weights"] == weights]
        last_used = time.time() - days * 86_400
        os.utime(entry.folder / METADATA, (last_used, last_used))
    return folder


def weights(entries: list[CacheEntry]) -> list[str]:
    return [entry.key_fields["weights"] for entry in entries]


def test_entries_are_listed_least_recently_used_first(cache_dir: Path, capsys) -> None:
    entries = read_entries(cache_dir)
    assert weights(entries) == ["c", "b", "a"]
    assert [round(entry.days_unused) for entry in entries] == [2, 1, 0]
    assert all(400_000 <= entry.bytes < 420_000 for entry in entries)
    assert main(["cache", "list", "--cache_dir", str(cache_dir.parent)]) == 0
    assert "3 entries, 1 MB" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("limits", "removed"),
    [
        ({"unused_days": 1.5, "keep_bytes": None}, ["c"]),
        ({"unused_days": None, "keep_bytes": 500_000}, ["c", "b"]),
    ],
)
def test_entries_are_pruned_by_age_or_size(cache_dir: Path, limits, removed: list[str]) -> None:
    assert weights(prune(cache_dir, **limits)) == removed
    assert weights(read_entries(cache_dir)) == ["c", "b", "a"][len(removed) :]


def test_entries_in_use_are_kept(cache_dir: Path, capsys) -> None:
    arguments = ["cache", "prune", "--unused_days", "0.5", "--cache_dir", str(cache_dir.parent)]
    with entry_lock(read_entries(cache_dir)[0].folder):
        assert main(arguments) == 0
    assert weights(read_entries(cache_dir)) == ["c", "a"]
    assert "2 entries" in capsys.readouterr().out


def test_an_unfinished_entry_can_be_pruned(cache_dir: Path) -> None:
    (cache_dir / "0123.partial").mkdir()
    (cache_dir / "0123.partial" / "features.npy").write_bytes(bytes(100_000))
    [unfinished] = [entry for entry in read_entries(cache_dir) if not entry.key_fields]
    assert "unfinished" in str(unfinished)
    assert len(prune(cache_dir, unused_days=None, keep_bytes=0)) == 4
    assert read_entries(cache_dir) == []


def test_pruning_without_a_limit_is_rejected(cache_dir: Path, capsys) -> None:
    assert main(["cache", "prune", "--cache_dir", str(cache_dir.parent)]) == 2
    assert "keep_gigabytes" in capsys.readouterr().err
    assert len(read_entries(cache_dir)) == 3
