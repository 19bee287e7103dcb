"""The cache can be listed, and pruned by age and size, by function and by command."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fmnist.training.features.entry import ABOUT
from fmnist.training.features.housekeeping import entries, prune
from fmnist.training.features.store import cached, folder_of, lock_of

PROJECT = Path(__file__).parents[3]
DAY = 86_400


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Three entries of 400,000 bytes, not used for 0, 1 and 2 days, on weights a, b and c."""
    folder = folder_of(str(tmp_path))
    for days, weights in enumerate("abc"):
        made_of = {"backbone": "vgg16", "weights": weights}
        shape = (1000, 100)
        cached(folder, made_of, shape, lambda slices: (np.zeros((1000, 100)) for _ in slices))
        [entry] = [e for e in entries(folder) if e.made_of["weights"] == weights]
        then = time.time() - days * DAY
        os.utime(entry.folder / ABOUT, (then, then))
    return folder


def weights(found) -> list[str]:
    return [entry.made_of["weights"] for entry in found]


def test_entries_are_listed_least_recently_used_first(cache: Path) -> None:
    found = entries(cache)
    assert weights(found) == ["c", "b", "a"]
    assert [round(entry.days_unused) for entry in found] == [2, 1, 0]
    assert all(400_000 <= entry.bytes < 420_000 and entry.whole for entry in found)


def test_what_was_not_used_for_long_goes(cache: Path) -> None:
    assert weights(prune(cache, unused_days=1.5, keep_bytes=None)) == ["c"]
    assert weights(entries(cache)) == ["b", "a"]


def test_the_least_recently_used_go_until_the_rest_fits(cache: Path) -> None:
    assert weights(prune(cache, unused_days=None, keep_bytes=500_000)) == ["c", "b"]
    assert weights(entries(cache)) == ["a"]


def test_what_a_process_works_on_stays(cache: Path) -> None:
    oldest = entries(cache)[0]
    with lock_of(oldest.folder):
        done = subprocess.run(
            [sys.executable, "-m", "fmnist", "cache", "prune", "--unused_days", "0.5",
             "--cache_dir", str(cache.parent)],
            cwd=PROJECT, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert weights(entries(cache)) == ["c", "a"]
    assert "removed" in done.stdout
    assert "2 entries" in done.stdout


def test_an_unfinished_entry_is_listed_and_can_go(cache: Path) -> None:
    (cache / "0123.partial").mkdir()
    (cache / "0123.partial" / "features.npy").write_bytes(bytes(100_000))
    unfinished = [entry for entry in entries(cache) if not entry.whole]
    assert [entry.made_of for entry in unfinished] == [{}]
    assert len(prune(cache, unused_days=None, keep_bytes=0)) == 4
    assert entries(cache) == []


def test_pruning_without_a_limit_is_refused(cache: Path) -> None:
    command = [sys.executable, "-m", "fmnist", "cache", "prune"]
    done = subprocess.run(
        [*command, "--cache_dir", str(cache.parent)],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "wanted unused_days or keep_gigabytes" in done.stderr
    assert len(entries(cache)) == 3
