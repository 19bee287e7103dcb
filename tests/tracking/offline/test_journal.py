"""Records on disk: complete or absent, in order, used by one process at a time."""

import json
from pathlib import Path

import pytest

from fmnist import names
from fmnist.errors import BadInput
from fmnist.tracking.offline.journal import (
    Journal,
    RunRef,
    check_writable,
    find_journals,
    journal_root,
    read_ref,
)

RUN = RunRef("http://server.example", "f00")


@pytest.fixture
def journal(tmp_path: Path, monkeypatch) -> Journal:
    monkeypatch.setenv(names.JOURNAL_DIR, str(tmp_path))
    return Journal.create(RUN)


def take_all(journal: Journal) -> list[int]:
    """Read and remove all records."""
    numbers = []
    while record := journal.first():
        numbers.append(record.body["n"])
        journal.remove(record)
    return numbers


def test_records_are_returned_in_order_and_once(journal: Journal) -> None:
    for n in range(12):
        journal.append({"n": n})
    assert len(journal) == 12
    assert take_all(journal) == list(range(12))
    assert (len(journal), take_all(journal)) == (0, [])


def test_next_process_continues_the_numbering(journal: Journal, tmp_path: Path) -> None:
    journal.append({"n": 1}, lambda folder: (folder / "a.txt").write_bytes(b"A") and None)
    journal.append({"n": 2})
    journal.close()
    assert find_journals(journal_root()) == [tmp_path / "f00"]
    assert find_journals(tmp_path / "f00") == [tmp_path / "f00"]
    reopened = Journal(tmp_path / "f00")
    assert reopened.ref == RUN
    record = reopened.first()
    assert record
    assert (record.files / "a.txt").read_bytes() == b"A"
    reopened.remove(record)
    reopened.append({"n": 3})
    assert take_all(reopened) == [2, 3]
    reopened.close()
    assert not (tmp_path / "f00").exists()  # an empty journal is deleted


@pytest.mark.faults
def test_records_left_incomplete_by_a_kill_are_removed(journal: Journal, tmp_path: Path) -> None:
    journal.append({"n": 1})
    journal.close()
    (tmp_path / "f00" / ".000002" / "files").mkdir(parents=True)
    (tmp_path / "f00" / ".000001-removed").mkdir()
    reopened = Journal(tmp_path / "f00")
    assert take_all(reopened) == [1]
    assert sorted(path.name for path in (tmp_path / "f00").iterdir()) == ["run.json"]


@pytest.mark.faults
@pytest.mark.parametrize("incomplete", ["f00", ".f00"])
def test_journal_left_incomplete_by_a_kill_is_replaced(
    tmp_path: Path, monkeypatch, incomplete: str
) -> None:
    monkeypatch.setenv(names.JOURNAL_DIR, str(tmp_path))
    (tmp_path / incomplete).mkdir()
    (tmp_path / incomplete / "run.json.new").touch()
    assert find_journals(tmp_path) == []
    journal = Journal.create(RUN)
    journal.append({"n": 1})
    assert take_all(journal) == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["f00"]


@pytest.mark.faults
def test_files_that_cannot_be_written_leave_no_record(journal: Journal) -> None:
    def write_files(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        journal.append({"n": 1}, write_files)
    journal.append({"n": 2})
    assert take_all(journal) == [2]
    assert [path.name for path in journal.folder.iterdir()] == ["run.json"]


@pytest.mark.faults
def test_damaged_record_is_reported_and_not_skipped(journal: Journal) -> None:
    journal.append({"n": 1})
    journal.append({"n": 2})
    (journal.folder / "000001" / "record.json").write_text('{"n":')
    with pytest.raises(BadInput, match="000001: this record is damaged"):
        journal.first()
    assert len(journal) == 2


def test_rejected_record_is_kept_and_later_ones_continue(journal: Journal, tmp_path: Path) -> None:
    journal.append({"n": 1})
    journal.append({"n": 2})
    first = journal.first()
    assert first
    journal.set_aside(first)
    assert take_all(journal) == [2]
    journal.close()
    [rejected] = Journal(tmp_path / "f00").rejected
    assert json.loads((rejected / "record.json").read_text()) == {"n": 1}


def test_journal_is_locked_by_one_process(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError):
        Journal(tmp_path / "f00")
    journal.append({"n": 1})
    journal.close()
    assert take_all(Journal(tmp_path / "f00")) == [1]


def test_invalid_directories_are_rejected(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(names.JOURNAL_DIR, str(tmp_path / "file"))
    with pytest.raises(BadInput, match=names.JOURNAL_DIR):
        check_writable()
    with pytest.raises(BadInput, match="expected the journal of a run"):
        read_ref(tmp_path)
