"""Records on disk: whole or not there, in their order, in one hand at a time."""

from pathlib import Path

import pytest

from fmnist import names
from fmnist.errors import BadInput
from fmnist.tracking.offline.journal import Journal, RunRef, about, check_place, folders, root

RUN = RunRef("http://server.example", "f00")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch) -> Journal:
    monkeypatch.setenv(names.JOURNAL_DIR, str(tmp_path))
    return Journal.of_run(RUN)


def taken(journal: Journal) -> list[int]:
    """What the records say, each removed after it was read."""
    found = []
    while record := journal.first():
        found.append(record.body["n"])
        journal.remove(record)
    return found


def test_records_come_in_their_order_and_once(kept: Journal) -> None:
    for n in range(12):
        kept.append({"n": n})
    assert len(kept) == 12
    assert taken(kept) == list(range(12))
    assert (len(kept), taken(kept)) == (0, [])


def test_the_next_process_finds_them_and_goes_on_counting(kept: Journal, tmp_path: Path) -> None:
    kept.append({"n": 1}, lambda folder: (folder / "a.txt").write_bytes(b"A") and None)
    kept.append({"n": 2})
    kept.close()
    assert folders(root()) == [tmp_path / "f00"]
    assert folders(tmp_path / "f00") == [tmp_path / "f00"]
    again = Journal.found(tmp_path / "f00")
    assert again.about == RUN
    record = again.first()
    assert record
    assert (record.files / "a.txt").read_bytes() == b"A"
    again.remove(record)
    again.append({"n": 3})
    assert taken(again) == [2, 3]
    again.close()
    assert not (tmp_path / "f00").exists()  # nothing is left of a run that is delivered


@pytest.mark.faults
def test_what_a_kill_left_half_written_is_no_record(kept: Journal, tmp_path: Path) -> None:
    kept.append({"n": 1})
    kept.close()
    (tmp_path / "f00" / ".000002" / "files").mkdir(parents=True)
    (tmp_path / "f00" / ".000001-sent").mkdir()
    again = Journal.found(tmp_path / "f00")
    assert taken(again) == [1]
    assert sorted(path.name for path in (tmp_path / "f00").iterdir()) == ["run.json"]


@pytest.mark.faults
def test_files_that_cannot_be_written_leave_no_record(kept: Journal) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_bytes(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        kept.append({"n": 1}, fill)
    kept.append({"n": 2})
    assert taken(kept) == [2]
    assert [path.name for path in kept.folder.iterdir()] == ["run.json"]


@pytest.mark.faults
def test_a_damaged_record_is_told_and_not_passed_over(kept: Journal) -> None:
    kept.append({"n": 1})
    kept.append({"n": 2})
    (kept.folder / "000001" / "record.json").write_text('{"n":')
    with pytest.raises(BadInput, match=r"000001: wanted a whole record, got a damaged one"):
        kept.first()
    assert len(kept) == 2


def test_what_is_set_aside_is_kept_and_out_of_the_way(kept: Journal, tmp_path: Path) -> None:
    kept.append({"n": 1})
    kept.append({"n": 2})
    first = kept.first()
    assert first
    kept.set_aside(first)
    assert taken(kept) == [2]
    kept.close()
    assert [path.name for path in Journal.found(tmp_path / "f00").refused] == ["refused-000001"]


def test_one_process_at_a_time(kept: Journal, tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError):
        Journal.found(tmp_path / "f00")
    kept.append({"n": 1})
    kept.close()
    assert taken(Journal.found(tmp_path / "f00")) == [1]


def test_places_that_will_not_do(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(names.JOURNAL_DIR, str(tmp_path / "file"))
    with pytest.raises(BadInput, match=names.JOURNAL_DIR):
        check_place()
    with pytest.raises(BadInput, match="wanted the journal of a run"):
        about(tmp_path)
