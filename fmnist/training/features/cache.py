"""Cache of float32 arrays that are expensive to compute, one directory per array.

A directory contains `features.npy`, a plain NumPy file that is mapped into memory, and
`about.json` with the key, the shape, and the SHA-256 and compute time of each chunk of rows. It has
the suffix `.partial` until it is complete. Chunks finished before a crash are reused, damaged ones
are recomputed.
"""

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, NamedTuple

import filelock
import numpy as np
import numpy.typing as npt

from fmnist import names
from fmnist.data.sources import cache_root
from fmnist.errors import BadInput, WorkFailed

Status = Literal["hit", "miss", "resumed", "repaired"]
Floats = npt.NDArray[np.float32]
# From slices of rows to the values of each, (rows, d) float32, in order.
Compute = Callable[[Sequence[slice]], Iterator[Floats]]

CHUNK_ROWS: Final = 2048
DATA: Final = "features.npy"
METADATA: Final = "about.json"
PARTIAL: Final = ".partial"
_FORMAT: Final = 2
_KEY_LENGTH: Final = 32


@dataclass(frozen=True, eq=False)
class CachedArray:
    """A complete entry of the cache.

    Args:
        array: (n, d) float32, mapped from its file; changes are not written to the file.
        status: whether the array was found, computed, or computed in part.
        seconds: time to load or compute it now, including waiting for other processes.
        cost: time that computing all of it took, whenever that was.
    """

    array: Floats
    status: Status
    seconds: float
    cost: float


@dataclass(frozen=True, eq=False)
class Features:
    """Features of the training images and of the test images."""

    train: CachedArray
    test: CachedArray

    @property
    def metrics(self) -> dict[str, float]:
        return {
            names.FEATURE_SECONDS: self.train.seconds + self.test.seconds,
            names.FEATURE_COST_SECONDS: self.train.cost + self.test.cost,
        }

    @property
    def tags(self) -> dict[str, str]:
        """`hit` if the cache contained all features, otherwise the first other status."""
        statuses = (self.train.status, self.test.status)
        return {names.TAG_FEATURE_CACHE: next((s for s in statuses if s != "hit"), "hit")}

    def in_memory(self) -> "Features":
        """The same as plain arrays, which are pickled by content instead of by file name."""
        return Features(
            *(replace(each, array=np.asarray(each.array)) for each in (self.train, self.test))
        )


def feature_cache_dir(cache_dir: str) -> Path:
    """The directory of the cache for the option `cache_dir`, created if necessary.

    Raises:
        BadInput: it is not writable.
    """
    folder = cache_root(cache_dir) / "features"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"cache_dir={cache_dir}: expected a writable directory for features, got {error}; "
            "choose another one"
        ) from error
    return folder


def load_or_compute(
    folder: Path,
    key_fields: Mapping[str, str],
    shape: tuple[int, int],
    compute: Compute,
    is_plausible: Callable[[Floats], bool] = lambda array: True,
) -> CachedArray:
    """Load an array from the cache, or compute and store it.

    One process computes an entry while others wait for it.

    Args:
        key_fields: everything the array depends on.
        shape: (n, d) of the array.
        is_plausible: final check of an array that was found, for what checksums cannot detect.

    Raises:
        WorkFailed: the disk is full.
    """
    started = time.perf_counter()
    key = sha256(json.dumps(dict(key_fields), sort_keys=True).encode()).hexdigest()[:_KEY_LENGTH]
    entry = _Entry(folder / key, key_fields, shape)
    lock = entry_lock(entry.folder)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        entry.log("another process is computing them; waiting for it")
        lock.acquire()
    try:
        status, cost = entry.ensure_complete(compute, is_plausible)
        os.utime(entry.folder / METADATA)  # pruning removes the least recently used entries
        return CachedArray(entry.load(), status, time.perf_counter() - started, cost)
    except OSError as error:
        raise WorkFailed(
            f"{folder}: features of {entry.bytes:,} bytes could not be stored: {error}; "
            "free disk space or choose another cache_dir (finished chunks are kept)"
        ) from error
    finally:
        lock.release()


def entry_lock(entry: Path) -> filelock.FileLock:
    """The lock that a process holds while it reads or changes an entry's files."""
    return filelock.FileLock(entry.with_suffix(".lock"))


class _Chunk(NamedTuple):
    checksum: str
    seconds: float


class _Entry:
    """The files of one array, in whatever state they are; the caller holds the lock."""

    def __init__(self, folder: Path, key_fields: Mapping[str, str], shape: tuple[int, int]) -> None:
        self.folder = folder
        self._partial = folder.with_suffix(PARTIAL)
        self._rows, columns = shape
        self._starts = range(0, self._rows, CHUNK_ROWS)
        header = io.BytesIO()
        fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, fields)
        self._header = header.getvalue()
        self._row_bytes = 4 * columns
        self.bytes = len(self._header) + self._rows * self._row_bytes
        self._metadata = {
            "format": _FORMAT,
            "made_of": dict(key_fields),
            "shape": list(shape),
            "dtype": "float32",
            "chunk_rows": CHUNK_ROWS,
        }

    def load(self) -> Floats:
        # Mode c maps pages that are private when written to: TensorFlow needs writable memory.
        array: Floats = np.load(self.folder / DATA, mmap_mode="c")
        return array

    def log(self, text: str) -> None:
        print(f"features {self.folder.name[:8]}: {text}", flush=True)

    def ensure_complete(
        self, compute: Compute, is_plausible: Callable[[Floats], bool]
    ) -> tuple[Status, float]:
        """Complete the entry; return what was necessary, and the total compute time."""
        status: Status = "miss"
        chunks: list[_Chunk | None] = [None] * len(self._starts)
        if self.folder.exists():
            intact = self._read_intact_chunks(self.folder)
            if intact and None not in intact and is_plausible(self.load()):
                return "hit", _total_seconds(intact)
            status = "repaired"
            shutil.rmtree(self._partial, ignore_errors=True)
            if intact and None in intact:
                self.log(
                    f"{intact.count(None)} of {len(intact)} chunks are damaged; recomputing them"
                )
                chunks = intact
                self.folder.rename(self._partial)
            else:
                reason = "differs from what this code computes" if intact else "is unreadable"
                self.log(f"the cache entry {reason}; recomputing it")
                shutil.rmtree(self.folder)
        elif (intact := self._read_intact_chunks(self._partial)) and any(intact):
            status, chunks = "resumed", intact
            finished = len(intact) - intact.count(None)
            self.log(f"resuming, {finished} of {len(intact)} chunks are finished")
        self._compute_missing(chunks, compute)
        self._partial.rename(self.folder)
        return status, _total_seconds(chunks)

    def _compute_missing(self, chunks: list[_Chunk | None], compute: Compute) -> None:
        """Compute the missing chunks; each is safe on the disk before the next is awaited."""
        self._partial.mkdir(exist_ok=True)
        missing = [number for number, chunk in enumerate(chunks) if chunk is None]
        slices = [
            slice(self._starts[n], min(self._starts[n] + CHUNK_ROWS, self._rows)) for n in missing
        ]
        path = self._partial / DATA
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(self.bytes)
            if hasattr(os, "posix_fallocate"):  # fail on a full disk before the work, not after
                os.posix_fallocate(file.fileno(), 0, self.bytes)
            started = time.perf_counter()
            for number, rows, values in zip(missing, slices, compute(slices), strict=True):
                data = np.ascontiguousarray(values, dtype="<f4").tobytes()
                content = (self._header if number == 0 else b"") + data
                start, end = self._byte_range(number)
                if len(content) != end - start:
                    raise ValueError(f"expected values of rows {rows}, got shape {values.shape}")
                file.seek(start)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                now = time.perf_counter()
                chunks[number] = _Chunk(sha256(content).hexdigest(), now - started)
                started = now
                self._write_metadata(chunks)
        self._write_metadata(chunks)

    def _byte_range(self, number: int) -> tuple[int, int]:
        """Start and end of a chunk in the file; the first includes the header."""
        first_row = self._starts[number]
        last_row = min(first_row + CHUNK_ROWS, self._rows)
        start = len(self._header) + first_row * self._row_bytes if number else 0
        return start, len(self._header) + last_row * self._row_bytes

    def _write_metadata(self, chunks: Sequence[_Chunk | None]) -> None:
        temporary = self._partial / f"{METADATA}.new"
        with temporary.open("w") as file:
            file.write(json.dumps(self._metadata | {"chunks": list(chunks)}, indent=1))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._partial / METADATA)

    def _read_intact_chunks(self, folder: Path) -> list[_Chunk | None] | None:
        """The intact chunks, None for each damaged one; None if nothing can be trusted."""
        try:
            metadata: Any = json.loads((folder / METADATA).read_text())
            chunks = [
                chunk and _Chunk(str(chunk[0]), float(chunk[1])) for chunk in metadata.pop("chunks")
            ]
            if metadata != self._metadata or len(chunks) != len(self._starts):
                return None
            with (folder / DATA).open("rb") as file:
                checksums = [self._read_checksum(file, n) for n in range(len(chunks))]
                is_longer = file.seek(0, os.SEEK_END) > self.bytes
        except (OSError, LookupError, ValueError, AttributeError, TypeError):
            return None
        intact = [
            chunk if chunk and chunk.checksum == checksum else None
            for chunk, checksum in zip(chunks, checksums, strict=True)
        ]
        return [*intact[:-1], None] if is_longer else intact

    def _read_checksum(self, file: BinaryIO, number: int) -> str:
        start, end = self._byte_range(number)
        file.seek(start)
        return sha256(file.read(end - start)).hexdigest()


def _total_seconds(chunks: Sequence[_Chunk | None]) -> float:
    return sum(chunk.seconds for chunk in chunks if chunk)
