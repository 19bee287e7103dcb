"""A checkpoint is complete or does not exist, and a damaged one is never used."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fmnist import names
from fmnist.training.checkpoints import ARRAYS, CHECKSUMS, Arrays, Checkpoints, Rows

pytestmark = pytest.mark.faults


def checkpoint(epoch: int) -> tuple[Arrays, Rows]:
    arrays = {"weights": np.random.default_rng(epoch).normal(size=20_000), "step": np.array(epoch)}
    return arrays, [{names.TRAIN_LOSS: 0.1 / n} for n in range(1, epoch + 1)]


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The checkpoints after three epochs."""
    checkpoints = Checkpoints(tmp_path / "fit")
    for epoch in (1, 2, 3):
        checkpoints.save(*checkpoint(epoch))
    return tmp_path / "fit"


def assert_is_epoch(epoch: int, loaded: tuple[Arrays, Rows] | None) -> None:
    assert loaded is not None
    (arrays, rows), (expected, expected_rows) = loaded, checkpoint(epoch)
    assert rows == expected_rows
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)


def test_the_last_two_are_kept(folder: Path) -> None:
    assert contents(folder) == ["000002", "000003"]
    assert contents(folder / "000003") == [CHECKSUMS, ARRAYS]
    assert_is_epoch(3, Checkpoints(folder).load_newest())
    assert Checkpoints(folder.with_name("other")).load_newest() is None


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30])


@pytest.mark.parametrize("name", [ARRAYS, CHECKSUMS])
@pytest.mark.parametrize("damage", [flip, truncate, Path.unlink])
def test_the_previous_one_is_used_if_the_newest_is_damaged(
    folder: Path, capsys, name: str, damage: Callable[[Path], None]
) -> None:
    damage(folder / "000003" / name)
    assert_is_epoch(2, Checkpoints(folder).load_newest())
    assert "epoch 3 is damaged" in capsys.readouterr().out
    damage(folder / "000002" / name)
    again = Checkpoints(folder)
    assert again.load_newest() is None
    again.save(*checkpoint(1))
    assert_is_epoch(1, again.load_newest())


def test_an_unfinished_one_of_a_dead_process_is_removed(folder: Path) -> None:
    (folder / "000003").rename(folder / ".000003")
    (folder / ".000003" / CHECKSUMS).unlink()
    assert_is_epoch(2, Checkpoints(folder).load_newest())
    assert contents(folder) == ["000002"]


@pytest.fixture
def fill_disk() -> Iterator[Callable[[bool], None]]:
    """Simulates a full disk: no file may be longer than 50,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(is_full: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000 if is_full else soft, hard))

    yield limit
    limit(False)


def test_a_full_disk_keeps_earlier_checkpoints_and_warns_once(
    folder: Path, capsys, fill_disk: Callable[[bool], None]
) -> None:
    checkpoints = Checkpoints(folder)
    fill_disk(True)
    checkpoints.save(*checkpoint(4))
    checkpoints.save(*checkpoint(5))
    assert contents(folder) == ["000002", "000003"]
    assert_is_epoch(3, checkpoints.load_newest())
    fill_disk(False)
    checkpoints.save(*checkpoint(6))
    assert contents(folder) == ["000003", "000006"]
    assert_is_epoch(6, checkpoints.load_newest())
    warning, recovery = capsys.readouterr().out.splitlines()
    assert f"epoch 4 could not be written to {folder} (File too large)" in warning
    assert "epoch 6 was written" in recovery
