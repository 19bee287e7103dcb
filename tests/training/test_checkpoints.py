"""A checkpoint is whole or not there, and one that was damaged is never used."""

import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fmnist import names
from fmnist.training.checkpoints import ARRAYS, CHECKSUMS, ROWS, Checkpoint, Checkpoints

pytestmark = pytest.mark.faults


def after(epoch: int) -> Checkpoint:
    arrays = {"weights": np.random.default_rng(epoch).normal(size=20_000), "step": np.array(epoch)}
    return Checkpoint(arrays, [{names.TRAIN_LOSS: 0.1 / n} for n in range(1, epoch + 1)])


def there(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder after three epochs."""
    checkpoints = Checkpoints(tmp_path / "fit")
    for epoch in (1, 2, 3):
        checkpoints.keep(after(epoch))
    return tmp_path / "fit"


def assert_after(epoch: int, found: Checkpoint | None) -> None:
    assert found is not None
    wanted = after(epoch)
    assert found.rows == wanted.rows
    assert found.arrays.keys() == wanted.arrays.keys()
    for name, array in wanted.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)


def test_the_last_two_are_kept(place: Path) -> None:
    assert there(place) == ["000002", "000003"]
    assert there(place / "000003") == [CHECKSUMS, ARRAYS, ROWS]
    assert_after(3, Checkpoints(place).newest())
    assert Checkpoints(place.with_name("other")).newest() is None


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:30])


@pytest.mark.parametrize("name", [ARRAYS, ROWS, CHECKSUMS])
@pytest.mark.parametrize("damage", [flipped, torn, Path.unlink])
def test_a_damaged_one_is_said_and_the_one_before_is_used(
    place: Path, capsys, name: str, damage: Callable[[Path], None]
) -> None:
    damage(place / "000003" / name)
    assert_after(2, Checkpoints(place).newest())
    assert "that of epoch 3 is damaged and not used: " in capsys.readouterr().out
    damage(place / "000002" / name)
    again = Checkpoints(place)
    assert again.newest() is None
    again.keep(after(1))
    assert_after(1, again.newest())


def test_what_was_being_written_by_a_dead_process_is_nothing(place: Path) -> None:
    (place / "000003").rename(place / ".000003")
    (place / ".000003" / CHECKSUMS).unlink()
    assert_after(2, Checkpoints(place).newest())
    assert there(place) == ["000002"]


@pytest.fixture
def disk() -> Iterator[Callable[[bool], None]]:
    """Makes the disk full: no file can be longer than 50,000 bytes, and a checkpoint is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def full(is_full: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000 if is_full else soft, hard))

    yield full
    full(False)


def test_a_full_disk_leaves_what_was_there_and_is_said_once(
    place: Path, capsys, disk: Callable[[bool], None]
) -> None:
    checkpoints = Checkpoints(place)
    disk(True)
    checkpoints.keep(after(4))
    checkpoints.keep(after(5))
    assert there(place) == ["000002", "000003"]
    assert_after(3, checkpoints.newest())
    disk(False)
    checkpoints.keep(after(6))
    assert there(place) == ["000003", "000006"]
    assert_after(6, checkpoints.newest())
    assert capsys.readouterr().out.splitlines() == [
        f"checkpoints: epoch 4 could not be kept in {place} (File too large); that of epoch 3 "
        "stays; training goes on, and every epoch tries again",
        "checkpoints: epoch 6 could be kept again",
    ]
