"""A folder is written whole or not at all, and never at the cost of a user's files."""

from pathlib import Path

import pytest

from fmnist.errors import BadInput
from fmnist.system import atomic


def held(path: Path) -> dict[str, bytes]:
    return {f.relative_to(path).as_posix(): f.read_bytes() for f in path.rglob("*") if f.is_file()}


def test_files_replace_what_was_written_before(tmp_path: Path) -> None:
    place = tmp_path / "new" / "report"
    atomic.check(place, {"a.html"})
    atomic.write(place, {"a.html": b"1", "tables/b.csv": b"2"})
    assert held(place) == {"a.html": b"1", "tables/b.csv": b"2"}
    atomic.check(place, {"a.html", "tables/b.csv"})
    atomic.write(place, {"a.html": b"3"})
    assert held(place) == {"a.html": b"3"}
    assert list(place.parent.iterdir()) == [place]


@pytest.mark.faults
def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    place = tmp_path / "report"
    atomic.write(place, {"a.html": b"1"})
    with pytest.raises(OSError, match="too long"):
        atomic.write(place, {"b.html": b"2", "c" * 300: b"3"})
    assert held(tmp_path) == {"report/a.html": b"1"}


def test_what_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"got one that holds mine\.txt; name another"):
        atomic.check(tmp_path, {"a.html"})
    with pytest.raises(BadInput, match="wanted a folder, got a file"):
        atomic.check(tmp_path / "mine.txt", {"mine.txt"})
    with pytest.raises(BadInput, match="wanted a place to write to, got File exists"):
        atomic.check(tmp_path / "mine.txt" / "below", {"a.html"})
    with pytest.raises(BadInput, match="wanted a place to write to"):
        atomic.check(Path("/proc/none/report"), {"a.html"})
