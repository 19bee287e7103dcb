"""Cached arrays are correct or recomputed, whatever happened to process, file or disk."""

import errno
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from fmnist.errors import BadInput, WorkFailed
from fmnist.training.features.cache import (
    CHUNK_ROWS,
    DATA,
    METADATA,
    CachedArray,
    Floats,
    feature_cache_dir,
    load_or_compute,
)

COLUMNS = 3
CHUNKS = 4
ROWS = (CHUNKS - 1) * CHUNK_ROWS + 100
EXPECTED = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)
KEY_FIELDS = {"images": "abc", "backbone": "none"}
HEADER = 128  # bytes of DATA


class Computation:
    """Computes EXPECTED, records the chunks, and may be interrupted."""

    def __init__(self, stop_before: int = CHUNKS, marks: Path | None = None) -> None:
        self.chunks: list[int] = []
        self._stop_before = stop_before
        self._marks = marks

    def __call__(self, slices: Sequence[slice]) -> Iterator[Floats]:
        for rows in slices:
            if len(self.chunks) == self._stop_before:
                raise KeyboardInterrupt
            self.chunks.append(rows.start // CHUNK_ROWS)
            if self._marks:  # leave a file for every chunk, and take some time
                (self._marks / f"{os.getpid()}-{len(self.chunks)}").touch()
                time.sleep(0.3)
            yield EXPECTED[rows]


def load(folder: Path, computation: Computation, **changes) -> CachedArray:
    arguments = {"key_fields": KEY_FIELDS, "shape": EXPECTED.shape} | changes
    return load_or_compute(folder, compute=computation, **arguments)


def assert_recomputes(folder: Path, chunks: list[int], status: str = "repaired", **changes) -> None:
    """Only these chunks are computed, with this status; the next use is a hit."""
    for expected_chunks, expected_status in ((chunks, status), ([], "hit")):
        computation = Computation()
        cached = load(folder, computation, **changes)
        assert (cached.status, computation.chunks) == (expected_status, expected_chunks)
        np.testing.assert_array_equal(cached.array, EXPECTED)


def entry(folder: Path) -> Path:
    [path] = [path for path in folder.iterdir() if path.is_dir()]
    return path


def flip(byte: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[byte] ^= 1
        path.write_bytes(content)

    return damage


def test_an_array_is_computed_once(tmp_path: Path, capsys) -> None:
    assert_recomputes(tmp_path, [0, 1, 2, 3], "miss")
    np.testing.assert_array_equal(np.load(entry(tmp_path) / DATA), EXPECTED)
    load(tmp_path, Computation()).array[:] = 7  # does not change the file
    assert_recomputes(tmp_path, [], "hit")
    assert capsys.readouterr().out == ""
    other = KEY_FIELDS | {"backbone": "other"}
    assert_recomputes(tmp_path, [0, 1, 2, 3], "miss", key_fields=other)


@pytest.mark.faults
def test_an_interrupted_computation_is_resumed(tmp_path: Path, capsys) -> None:
    for finished in (0, 2):
        with pytest.raises(KeyboardInterrupt):
            load(tmp_path, Computation(stop_before=finished))
    assert_recomputes(tmp_path, [2, 3], "resumed")
    assert "2 of 4 chunks are finished" in capsys.readouterr().out
    assert load(tmp_path, Computation()).cost > 0


@pytest.mark.faults
def test_a_finished_chunk_that_was_damaged_is_recomputed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, Computation(stop_before=2))
    flip(200)(entry(tmp_path) / DATA)
    assert_recomputes(tmp_path, [0, 2, 3])


@pytest.mark.faults
@pytest.mark.parametrize(("byte", "chunk"), [(HEADER, 0), (HEADER + 12 * CHUNK_ROWS, 1), (-1, 3)])
def test_a_flipped_bit_costs_one_chunk(byte: int, chunk: int, tmp_path: Path, capsys) -> None:
    load(tmp_path, Computation())
    flip(byte)(entry(tmp_path) / DATA)
    assert_recomputes(tmp_path, [chunk])
    assert "1 of 4 chunks are damaged" in capsys.readouterr().out


def truncate(size: int) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, size)


@pytest.mark.faults
@pytest.mark.parametrize(
    "damage",
    [*map(flip, (0, 8, 20, 60)), *map(truncate, (0, 100, HEADER + 12 * CHUNK_ROWS)), Path.unlink],
)
def test_an_unreadable_file_is_recomputed(
    damage: Callable[[Path], None], tmp_path: Path, capsys
) -> None:
    load(tmp_path, Computation())
    damage(entry(tmp_path) / DATA)
    assert_recomputes(tmp_path, [0, 1, 2, 3])
    assert "unreadable" in capsys.readouterr().out


@pytest.mark.faults
@pytest.mark.parametrize(
    "metadata",
    [
        None, "", "{", "[]", "{}", '{"checksums": 3}', {"shape": [ROWS, COLUMNS + 1]},
        {"dtype": "float16"}, {"made_of": {}}, {"format": 0}, {"checksums": [None]},
        {"seconds": "x"},
    ],
)  # fmt: skip
def test_a_file_without_valid_metadata_is_recomputed(metadata, tmp_path: Path, capsys) -> None:
    load(tmp_path, Computation())
    path = entry(tmp_path) / METADATA
    if metadata is None:
        path.unlink()
    elif isinstance(metadata, dict):
        path.write_text(json.dumps(json.loads(path.read_text()) | metadata))
    else:
        path.write_text(metadata)
    assert_recomputes(tmp_path, [0, 1, 2, 3])
    assert "unreadable" in capsys.readouterr().out


@pytest.mark.faults
def test_a_full_disk_is_detected_before_the_computation(tmp_path: Path, monkeypatch) -> None:
    def fail(*arguments) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", fail)
    computation = Computation()
    with pytest.raises(WorkFailed, match=r"could not be stored.*No space left"):
        load(tmp_path, computation)
    assert computation.chunks == []


@pytest.mark.faults
def test_a_directory_that_is_not_writable_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="expected a writable directory"):
        feature_cache_dir(str(tmp_path / "file"))


def compute(folder: Path, marks: Path, results: "multiprocessing.Queue") -> None:
    cached = load(folder, Computation(marks=marks))
    results.put((cached.status, bool(np.array_equal(cached.array, EXPECTED))))


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.mark.faults
def test_two_processes_compute_an_array_once(tmp_path: Path, marks: Path) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    folder = feature_cache_dir(str(tmp_path))
    both = [context.Process(target=compute, args=(folder, marks, results)) for _ in range(2)]
    for process in both:
        process.start()
    assert sorted(results.get(timeout=300) for _ in both) == [("hit", True), ("miss", True)]
    for process in both:
        process.join()
    assert len(list(marks.iterdir())) == CHUNKS


@pytest.mark.faults
def test_chunks_of_a_killed_process_are_reused(tmp_path: Path, marks: Path) -> None:
    context = multiprocessing.get_context("fork")
    folder = feature_cache_dir(str(tmp_path))
    process = context.Process(target=compute, args=(folder, marks, context.Queue()))
    process.start()
    while len(list(marks.iterdir())) < 3:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    computation = Computation()
    assert load(folder, computation).status == "resumed"
    assert 1 <= len(computation.chunks) < CHUNKS
