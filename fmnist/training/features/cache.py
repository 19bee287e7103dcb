"""Cache of float32 arrays that are expensive to compute, one directory per array.

A directory contains `features.npy`, a plain NumPy file that is mapped into memory, and
`about.json` with the key, the shape, the compute time, and the SHA-256 of each chunk of rows, null
until it is computed. Chunks finished before a crash are reused, damaged ones are recomputed.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

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
_FORMAT: Final = 3
_KEY_LENGTH: Final = 32
_DTYPE: Final = "<f4"


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
        tempfile.TemporaryFile(dir=folder).close()
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
    entry = _Entry(folder, key_fields, shape)
    lock = entry_lock(entry.folder)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        entry.log("another process is computing them; waiting for it")
        lock.acquire()
    try:
        entry.folder.mkdir(exist_ok=True)
        status = entry.read(is_plausible)
        if status == "hit":
            os.utime(entry.folder / METADATA)  # pruning removes the least recently used entries
        else:
            entry.complete(compute)
        return CachedArray(entry.load(), status, time.perf_counter() - started, entry.seconds)
    except OSError as error:
        raise WorkFailed(
            f"{folder}: features of {4 * shape[0] * shape[1]:,} bytes could not be stored: "
            f"{error}; free disk space or choose another cache_dir (finished chunks are kept)"
        ) from error
    finally:
        lock.release()


def entry_lock(entry: Path) -> filelock.FileLock:
    """The lock that a process holds while it reads or changes an entry's files."""
    return filelock.FileLock(entry.with_suffix(".lock"))


class _Entry:
    """The files of one array, in whatever state they are; the caller holds the lock.

    Attributes:
        checksums: of each chunk of rows; None for those that have to be computed.
        seconds: compute time of the others.
    """

    def __init__(self, root: Path, key_fields: Mapping[str, str], shape: tuple[int, int]) -> None:
        self._shape = shape
        starts = range(0, shape[0], CHUNK_ROWS)
        self._slices = [slice(start, min(start + CHUNK_ROWS, shape[0])) for start in starts]
        self._made_of = {
            "format": _FORMAT,
            "made_of": dict(key_fields),
            "shape": list(shape),
            "dtype": "float32",
            "chunk_rows": CHUNK_ROWS,
        }
        key = sha256(json.dumps(self._made_of, sort_keys=True).encode()).hexdigest()
        self.folder = root / key[:_KEY_LENGTH]
        self.checksums: list[str | None] = [None] * len(starts)
        self.seconds = 0.0

    def load(self) -> np.memmap[tuple[int, int], np.dtype[np.float32]]:
        # Mode c maps pages that are private when written to: TensorFlow needs writable memory.
        return np.load(self.folder / DATA, mmap_mode="c")

    def log(self, text: str) -> None:
        print(f"features {self.folder.name[:8]}: {text}", flush=True)

    def read(self, is_plausible: Callable[[Floats], bool]) -> Status:
        """Read the metadata and verify the chunks; return what the entry needs."""
        if not any(self.folder.iterdir()):
            return "miss"
        try:
            metadata = json.loads((self.folder / METADATA).read_text())
            stored, seconds = list(metadata.pop("checksums")), float(metadata.pop("seconds"))
            array = self.load()
            layout = (array.shape, array.dtype.str, array.flags.c_contiguous)
            if metadata != self._made_of or layout != (self._shape, _DTYPE, True):
                raise ValueError(f"{self.folder} contains another array")
            damaged = [
                number
                for number, rows in enumerate(self._slices)
                if stored[number] not in (None, _checksum(array[rows]))
            ]
        except Exception:  # whatever damaged files make json and NumPy raise
            self.log("the cache entry is unreadable; recomputing it")
            return "repaired"
        total = len(self._slices)
        for number in damaged:
            stored[number] = None
        finished = total - stored.count(None)
        if finished == total and not is_plausible(array):
            self.log("the cache entry differs from what this code computes; recomputing it")
            return "repaired"
        self.checksums, self.seconds = stored, seconds
        if damaged:
            self.log(f"{len(damaged)} of {total} chunks are damaged; recomputing them")
            return "repaired"
        if 0 < finished < total:
            self.log(f"resuming, {finished} of {total} chunks are finished")
            return "resumed"
        return "hit" if finished else "miss"

    def complete(self, compute: Compute) -> None:
        """Compute the missing chunks; each is safe on the disk before the next is awaited."""
        missing = [number for number, checksum in enumerate(self.checksums) if checksum is None]
        path = self.folder / DATA
        if len(missing) == len(self.checksums):
            path.unlink(missing_ok=True)  # other processes may have mapped the file
            np.lib.format.open_memmap(path, "w+", np.dtype(_DTYPE), self._shape)
            self._write_metadata()
        offset, row_bytes = self.load().offset, 4 * self._shape[1]
        with path.open("r+b") as file:
            if hasattr(os, "posix_fallocate"):  # fail on a full disk before the work, not after
                os.posix_fallocate(file.fileno(), 0, offset + self._shape[0] * row_bytes)
            started = time.perf_counter()
            computed = compute([self._slices[number] for number in missing])
            for number, values in zip(missing, computed, strict=True):
                rows = self._slices[number]
                if values.shape != (rows.stop - rows.start, self._shape[1]):
                    raise ValueError(f"expected values of rows {rows}, got shape {values.shape}")
                file.seek(offset + rows.start * row_bytes)
                file.write(_to_bytes(values))
                file.flush()
                os.fsync(file.fileno())
                self.checksums[number] = _checksum(values)
                self.seconds += time.perf_counter() - started
                started = time.perf_counter()
                self._write_metadata()

    def _write_metadata(self) -> None:
        temporary = self.folder / f"{METADATA}.new"
        state = {"seconds": self.seconds, "checksums": self.checksums}
        with temporary.open("w") as file:
            file.write(json.dumps(self._made_of | state, indent=1))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / METADATA)


def _to_bytes(values: Floats) -> bytes:
    return values.astype(_DTYPE, copy=False).tobytes()


def _checksum(values: Floats) -> str:
    return sha256(_to_bytes(values)).hexdigest()
