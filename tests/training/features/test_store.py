"""Cached arrays are right or computed anew, whatever happened to process, file or disk."""

import errno
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from fmnist.errors import BadInput, WorkFailed
from fmnist.training.features.entry import ABOUT, CHUNK_ROWS, DATA, PARTIAL, Floats
from fmnist.training.features.store import cached, folder_of

WIDTH = 3
CHUNKS = 4
ROWS = (CHUNKS - 1) * CHUNK_ROWS + 100
RIGHT = np.random.default_rng(0).normal(size=(ROWS, WIDTH)).astype(np.float32)
MADE_OF = {"images": "abc", "backbone": "none"}


class Work:
    """Computes RIGHT, remembers which slices it was asked for, and may stop on the way."""

    def __init__(self, stop_before: int = CHUNKS) -> None:
        self.done: list[slice] = []
        self._stop_before = stop_before

    def __call__(self, slices: Sequence[slice]) -> Iterator[Floats]:
        for rows in slices:
            if len(self.done) == self._stop_before:
                raise KeyboardInterrupt
            self.done.append(rows)
            yield RIGHT[rows]


def have(folder: Path, work: Work, **changes) -> tuple[Floats, str, list[str]]:
    told: list[str] = []
    made_of = changes.pop("made_of", MADE_OF)
    found = cached(folder, made_of, RIGHT.shape, work, tell=told.append, **changes)
    return found.array, found.status, told


def entry(folder: Path) -> Path:
    [path] = [path for path in folder.iterdir() if path.is_dir()]
    return path


def test_what_was_computed_once_is_there(tmp_path: Path) -> None:
    first, again = Work(), Work()
    array, status, told = have(tmp_path, first)
    assert (status, told, len(first.done)) == ("miss", [], CHUNKS)
    np.testing.assert_array_equal(array, RIGHT)
    array, status, told = have(tmp_path, again)
    assert (status, told, again.done) == ("hit", [], [])
    np.testing.assert_array_equal(array, RIGHT)
    np.testing.assert_array_equal(np.load(entry(tmp_path) / DATA), RIGHT)


def test_what_it_cost_to_compute_is_kept(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        have(tmp_path, Work(stop_before=2))
    resumed = cached(tmp_path, MADE_OF, RIGHT.shape, Work(), tell=print)
    chunks = json.loads((entry(tmp_path) / ABOUT).read_text())["chunks"]
    assert resumed.cost == pytest.approx(sum(seconds for _, seconds in chunks))
    assert all(seconds > 0 for _, seconds in chunks)
    assert cached(tmp_path, MADE_OF, RIGHT.shape, Work()).cost == resumed.cost


def test_what_is_made_of_other_things_is_another_entry(tmp_path: Path) -> None:
    have(tmp_path, Work())
    work = Work()
    assert have(tmp_path, work, made_of=MADE_OF | {"backbone": "other"})[1] == "miss"
    assert len(work.done) == CHUNKS


def test_writing_to_the_array_changes_no_file(tmp_path: Path) -> None:
    array, _, _ = have(tmp_path, Work())
    array[:] = 7
    np.testing.assert_array_equal(have(tmp_path, Work())[0], RIGHT)


@pytest.mark.faults
def test_an_interrupted_computation_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        have(tmp_path, Work(stop_before=2))
    assert entry(tmp_path).suffix == ".partial"
    work = Work()
    array, status, told = have(tmp_path, work)
    assert status == "resumed"
    assert "2 of 4 chunks were finished before" in told[0]
    assert [rows.start // CHUNK_ROWS for rows in work.done] == [2, 3]
    np.testing.assert_array_equal(array, RIGHT)


def test_a_finished_chunk_that_was_damaged_meanwhile_is_not_trusted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        have(tmp_path, Work(stop_before=2))
    flip(entry(tmp_path) / DATA, 200)
    work = Work()
    array, _, _ = have(tmp_path, work)
    assert [rows.start // CHUNK_ROWS for rows in work.done] == [0, 2, 3]
    np.testing.assert_array_equal(array, RIGHT)


def flip(path: Path, byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("byte", "chunk"), [(0, 0), (60, 0), (128, 0), (128 + 12 * CHUNK_ROWS, 1), (-1, 3)]
)
def test_a_flipped_bit_costs_one_chunk(byte: int, chunk: int, tmp_path: Path) -> None:
    have(tmp_path, Work())
    flip(entry(tmp_path) / DATA, byte)
    work = Work()
    array, status, told = have(tmp_path, work)
    assert status == "repaired"
    assert "1 of 4 chunks are damaged" in told[0]
    assert [rows.start // CHUNK_ROWS for rows in work.done] == [chunk]
    np.testing.assert_array_equal(array, RIGHT)
    assert have(tmp_path, Work())[1] == "hit"


@pytest.mark.faults
@pytest.mark.parametrize(("size", "lost"), [(0, 4), (100, 4), (128 + 12 * CHUNK_ROWS, 3)])
def test_a_truncated_file_costs_what_it_lost(size: int, lost: int, tmp_path: Path) -> None:
    have(tmp_path, Work())
    os.truncate(entry(tmp_path) / DATA, size)
    work = Work()
    array, status, _ = have(tmp_path, work)
    assert (status, len(work.done)) == ("repaired", lost)
    np.testing.assert_array_equal(array, RIGHT)


def test_a_longer_file_is_cut(tmp_path: Path) -> None:
    have(tmp_path, Work())
    with (entry(tmp_path) / DATA).open("ab") as file:
        file.write(b"more")
    assert have(tmp_path, Work())[1] == "repaired"
    assert have(tmp_path, Work())[1] == "hit"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"checksums": 3}', None],
    ids=["empty", "torn", "list", "bare", "number", "gone"],
)
def test_an_unreadable_sidecar_costs_everything(text: str | None, tmp_path: Path) -> None:
    have(tmp_path, Work())
    about = entry(tmp_path) / ABOUT
    about.unlink() if text is None else about.write_text(text)
    work = Work()
    array, status, told = have(tmp_path, work)
    assert (status, len(work.done)) == ("repaired", CHUNKS)
    assert "not readable as one of ours" in told[0]
    np.testing.assert_array_equal(array, RIGHT)


@pytest.mark.faults
@pytest.mark.parametrize(
    "change", [{"shape": [ROWS, WIDTH + 1]}, {"dtype": "float16"}, {"made_of": {}}, {"format": 0}]
)
def test_the_file_of_something_else_is_not_taken(change: dict, tmp_path: Path) -> None:
    have(tmp_path, Work())
    about = entry(tmp_path) / ABOUT
    about.write_text(json.dumps(json.loads(about.read_text()) | change))
    work = Work()
    np.testing.assert_array_equal(have(tmp_path, work)[0], RIGHT)
    assert len(work.done) == CHUNKS


def test_a_sound_file_that_this_code_would_not_make_is_made_anew(tmp_path: Path) -> None:
    have(tmp_path, Work())
    work = Work()
    _, status, told = have(tmp_path, work, looks_right=lambda array: False)
    assert (status, len(work.done)) == ("repaired", CHUNKS)
    assert "not what this code computes" in told[0]


@pytest.mark.faults
def test_a_full_disk_is_told_before_the_work_starts(tmp_path: Path, monkeypatch) -> None:
    def full(*arguments) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    work = Work()
    with pytest.raises(WorkFailed, match=r"could not be stored.*No space left"):
        have(tmp_path, work)
    assert work.done == []


@pytest.mark.faults
def test_a_cache_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="wanted a folder to keep features in"):
        folder_of(str(tmp_path / "file"))


class Slow(Work):
    """Takes its time, and leaves a mark for every chunk that it computes."""

    def __init__(self, marks: Path) -> None:
        super().__init__()
        self._marks = marks

    def __call__(self, slices: Sequence[slice]) -> Iterator[Floats]:
        for values in super().__call__(slices):
            (self._marks / f"{os.getpid()}-{len(self.done)}").touch()
            time.sleep(0.3)
            yield values


def compute(folder: Path, marks: Path, answers: "multiprocessing.Queue") -> None:
    array, status, told = have(folder, Slow(marks))
    answers.put((status, bool(np.array_equal(array, RIGHT)), told))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.mark.faults
def test_two_processes_compute_it_once(tmp_path: Path, marks: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    folder = folder_of(str(tmp_path))
    both = [context.Process(target=compute, args=(folder, marks, answers)) for _ in range(2)]
    for process in both:
        process.start()
    found = sorted(answers.get(timeout=60) for _ in both)
    for process in both:
        process.join()
    assert [(status, right) for status, right, _ in found] == [("hit", True), ("miss", True)]
    assert len(list(marks.iterdir())) == CHUNKS
    assert any("another process is computing them" in line for line in found[0][2])


@pytest.mark.faults
def test_a_killed_process_leaves_what_the_next_one_goes_on_with(
    tmp_path: Path, marks: Path
) -> None:
    context = multiprocessing.get_context("fork")
    folder = folder_of(str(tmp_path))
    process = context.Process(target=compute, args=(folder, marks, context.Queue()))
    process.start()
    while len(list(marks.iterdir())) < 3:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    work = Work()
    array, status, _ = have(folder, work)
    assert status == "resumed"
    assert 1 <= len(work.done) < CHUNKS
    np.testing.assert_array_equal(array, RIGHT)


def test_chunks_are_written_one_by_one(tmp_path: Path) -> None:
    """After each, the sidecar vouches for all that are done, so that a crash loses one."""
    seen: list[int] = []

    class Looking(Work):
        def __call__(self, slices: Sequence[slice]) -> Iterator[Floats]:
            for values in super().__call__(slices):
                about = entry(tmp_path) / ABOUT
                chunks = json.loads(about.read_text())["chunks"] if about.exists() else [None] * 4
                seen.append(len(chunks) - chunks.count(None))
                yield values

    have(tmp_path, Looking())
    assert seen == [0, 1, 2, 3]
    assert PARTIAL not in {path.suffix for path in tmp_path.iterdir()}
