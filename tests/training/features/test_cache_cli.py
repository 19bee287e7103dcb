"""The feature cache can be listed and pruned by age or size."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from fmnist.__main__ import main
from fmnist.training.features.cache import METADATA, entry_lock, feature_cache_dir, load_or_compute
from fmnist.training.features.cache_cli import read_entries


@pytest.fixture
def cache_dir(tmp_path: Path) -> str:
    """Three entries of 400,000 bytes, unused for 0, 1 and 2 days, with the weights a, b and c."""
    folder = feature_cache_dir(str(tmp_path))
    shape = (1000, 100)
    for days, weights in enumerate("abc"):
        key_fields = {"backbone": "vgg16", "weights": weights}
        load_or_compute(folder, key_fields, shape, lambda slices: (np.zeros(shape) for _ in slices))
        [entry] = [e for e in read_entries(str(tmp_path)) if e.key_fields["weights"] == weights]
        last_used = time.time() - days * 86_400
        os.utime(entry.folder / METADATA, (last_used, last_used))
    return str(tmp_path)


def weights(cache_dir: str) -> list[str]:
    return [entry.key_fields["weights"] for entry in read_entries(cache_dir)]


def test_entries_are_listed_least_recently_used_first(cache_dir: str, capsys) -> None:
    entries = read_entries(cache_dir)
    assert weights(cache_dir) == ["c", "b", "a"]
    assert [round(entry.days_unused) for entry in entries] == [2, 1, 0]
    assert all(400_000 <= entry.bytes < 420_000 for entry in entries)
    assert main(["cache", "list", "--cache_dir", cache_dir]) == 0
    printed = capsys.readouterr().out
    assert "3 entries, 1 MB" in printed
    assert "unfinished" not in printed


@pytest.mark.parametrize(
    ("limit", "kept"),
    [(["--unused_days", "1.5"], ["b", "a"]), (["--keep_gigabytes", "5e-4"], ["a"])],
)
def test_entries_are_pruned_by_age_or_size(cache_dir: str, limit, kept: list[str], capsys) -> None:
    assert main(["cache", "prune", *limit, "--cache_dir", cache_dir]) == 0
    assert weights(cache_dir) == kept
    assert f"{len(kept)} entries" in capsys.readouterr().out


def test_entries_in_use_are_kept(cache_dir: str) -> None:
    with entry_lock(read_entries(cache_dir)[0].folder):
        assert main(["cache", "prune", "--unused_days", "0.5", "--cache_dir", cache_dir]) == 0
    assert weights(cache_dir) == ["c", "a"]


def test_an_unfinished_entry_can_be_pruned(cache_dir: str, capsys) -> None:
    folder = Path(cache_dir, "features", "0123")
    folder.mkdir()
    (folder / "features.npy").write_bytes(bytes(100_000))
    assert main(["cache", "prune", "--keep_gigabytes", "0", "--cache_dir", cache_dir]) == 0
    assert read_entries(cache_dir) == []
    assert capsys.readouterr().out.count("  unfinished\n") == 1


def test_pruning_without_a_limit_is_rejected(cache_dir: str, capsys) -> None:
    assert main(["cache", "prune", "--cache_dir", cache_dir]) == 2
    assert "keep_gigabytes" in capsys.readouterr().err
    assert len(read_entries(cache_dir)) == 3
