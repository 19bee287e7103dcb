"""Directories are written completely or not at all, and files of the user are never deleted."""

from pathlib import Path

import pytest

from fmnist.errors import BadInput
from fmnist.system import atomic


def contents(path: Path) -> dict[str, bytes]:
    return {f.relative_to(path).as_posix(): f.read_bytes() for f in path.rglob("*") if f.is_file()}


def test_new_files_replace_the_earlier_output(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    atomic.check_replaceable(folder, {"a.html"})
    atomic.replace_dir(folder, {"a.html": b"1", "tables/b.csv": b"2"})
    assert contents(folder) == {"a.html": b"1", "tables/b.csv": b"2"}
    atomic.check_replaceable(folder, {"a.html", "tables/b.csv"})
    atomic.replace_dir(folder, {"a.html": b"3"})
    assert contents(folder) == {"a.html": b"3"}
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.faults
def test_failure_while_writing_keeps_the_previous_directory(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    atomic.replace_dir(folder, {"a.html": b"1"})
    with pytest.raises(OSError, match="too long"):
        atomic.replace_dir(folder, {"b.html": b"2", "c" * 300: b"3"})
    assert contents(tmp_path) == {"report/a.html": b"1"}


@pytest.mark.faults
def test_failure_of_the_second_rename_keeps_the_previous_directory(
    tmp_path: Path, monkeypatch
) -> None:
    folder = tmp_path / "report"
    atomic.replace_dir(folder, {"a.html": b"1"})
    rename, renamed = Path.rename, []

    def fail_second_time(path: Path, target: Path) -> Path:
        renamed.append(path)
        if len(renamed) == 2:
            raise OSError("rename failed")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_second_time)
    with pytest.raises(OSError, match="rename failed"):
        atomic.replace_dir(folder, {"a.html": b"2"})
    assert contents(tmp_path) == {"report/a.html": b"1"}


def test_directories_with_other_files_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    for folder, reason in (
        (tmp_path, r"contains mine\.txt"),
        (tmp_path / "mine.txt", "expected a directory, got a file"),
        (tmp_path / "mine.txt" / "below", "cannot be written"),
        (Path("/proc/none/report"), "cannot be written"),
    ):
        with pytest.raises(BadInput, match=reason):
            atomic.check_replaceable(folder, {"a.html"})
