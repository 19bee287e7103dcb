"""Arrays that are dear to compute, each in one file that is mapped into memory.

An entry is a folder: `features.npy`, which numpy reads, and `about.json` with what it was made of,
shape, dtype and the SHA-256 of every chunk of rows. It grows under another name and gets its own
when it is whole. Chunks that were finished before a crash are kept, damaged ones are made anew.
"""

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import filelock
import numpy as np
import numpy.typing as npt

from fmnist.data.sources import cache_root
from fmnist.errors import BadInput, WorkFailed

Status = Literal["hit", "miss", "resumed", "repaired"]
Floats = npt.NDArray[np.float32]
Compute = Callable[[Sequence[slice]], Iterator[Floats]]

CHUNK_ROWS: Final = 2048
DATA: Final = "features.npy"
ABOUT: Final = "about.json"
PARTIAL: Final = ".partial"
_FORMAT: Final = 1
_KEY_LENGTH: Final = 32


@dataclass(frozen=True, eq=False)
class Cached:
    """An entry that is whole.

    Args:
        array: (n, d) float32, mapped from its file; writing to it changes no file.
        status: whether it was there, had to be computed, or in parts.
        seconds: that it took to have it, waiting for other processes included.
    """

    array: Floats
    status: Status
    seconds: float


def folder_of(cache_dir: str) -> Path:
    """The folder that holds the entries; made if need be.

    Raises:
        BadInput: it cannot be written.
    """
    folder = cache_root(cache_dir) / "features"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"cache_dir={cache_dir}: wanted a folder to keep features in, got {error}; "
            "name one that can be written"
        ) from error
    return folder


def cached(
    folder: Path,
    made_of: Mapping[str, str],
    shape: tuple[int, int],
    compute: Compute,
    looks_right: Callable[[Floats], bool] = lambda array: True,
    tell: Callable[[str], None] = print,
) -> Cached:
    """The array made of these things, from the cache or computed now.

    One process computes an entry at a time; others wait for it and find it done.

    Args:
        folder: see `folder_of`.
        made_of: everything the array depends on; decides the name of the entry.
        shape: (n, d) of the array, float32.
        compute: the rows of each slice, (rows, d) float32, in order of the slices.
        looks_right: a last look at an entry that was found, for what checksums cannot see.
        tell: takes one line on whatever is out of the ordinary.

    Raises:
        WorkFailed: the disk has no room.
    """
    started = time.perf_counter()
    key = sha256(json.dumps(dict(made_of), sort_keys=True).encode()).hexdigest()[:_KEY_LENGTH]
    entry = _Entry(folder / key, made_of, shape)
    lock = lock_of(entry.whole)

    def say(text: str) -> None:
        tell(f"features {key[:8]}: {text}")

    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        say("another process is computing them; waiting for it")
        lock.acquire()
    try:
        status = entry.bring_up(compute, looks_right, say)
        os.utime(entry.whole / ABOUT)  # by which pruning sees what is in use
        return Cached(entry.mapped(), status, time.perf_counter() - started)
    except OSError as error:
        raise WorkFailed(
            f"{folder}: the features ({entry.bytes:,} bytes) could not be stored: {error}; "
            "make room or name another cache_dir (what is finished is kept)"
        ) from error
    finally:
        lock.release()


def lock_of(entry: Path) -> filelock.FileLock:
    """What a process holds while it reads or changes the entry's files."""
    return filelock.FileLock(entry.with_suffix(".lock"))


class _Entry:
    def __init__(self, whole: Path, made_of: Mapping[str, str], shape: tuple[int, int]) -> None:
        self.whole = whole
        self.partial = whole.with_suffix(PARTIAL)
        rows, width = shape
        self._starts = range(0, rows, CHUNK_ROWS)
        header = io.BytesIO()
        fields = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(header, fields)
        self._header = header.getvalue()
        self._row_bytes = 4 * width
        self._rows = rows
        self.bytes = len(self._header) + rows * self._row_bytes
        self._about = {
            "format": _FORMAT,
            "made_of": dict(made_of),
            "shape": list(shape),
            "dtype": "float32",
            "chunk_rows": CHUNK_ROWS,
        }

    def bring_up(
        self, compute: Compute, looks_right: Callable[[Floats], bool], say: Callable[[str], None]
    ) -> Status:
        """Make the entry whole, whatever state it is in, and say what state that was."""
        status: Status = "miss"
        sums: list[str | None] = [None] * len(self._starts)
        if self.whole.exists():
            found = self._sound_chunks(self.whole)
            if found is not None and None not in found:
                if looks_right(self.mapped()):
                    return "hit"
                say("not what this code computes; computing them anew")
                found = None
            elif found is None:
                say("the cache entry is not readable as one of ours; computing it anew")
            else:
                sums, status = found, "repaired"
                say(f"{found.count(None)} of {len(found)} chunks are damaged; computing them anew")
            shutil.rmtree(self.partial, ignore_errors=True)
            if found is None:
                shutil.rmtree(self.whole)
                status = "repaired"
            else:
                self.whole.rename(self.partial)
        elif (found := self._sound_chunks(self.partial)) is not None and any(found):
            sums, status = found, "resumed"
            say(
                f"{len(found) - found.count(None)} of {len(found)} chunks were finished before; "
                "going on from there"
            )
        self._fill(sums, compute)
        self.partial.rename(self.whole)
        return status

    def mapped(self) -> Floats:
        # Private copies of pages on write: TensorFlow takes writable memory only.
        array: Floats = np.load(self.whole / DATA, mmap_mode="c")
        return array

    def _fill(self, sums: list[str | None], compute: Compute) -> None:
        """Compute the chunks without a checksum; after each, what is done is safe on the disk."""
        self.partial.mkdir(exist_ok=True)
        missing = [number for number, known in enumerate(sums) if known is None]
        slices = [
            slice(self._starts[n], min(self._starts[n] + CHUNK_ROWS, self._rows)) for n in missing
        ]
        with (self.partial / DATA).open("r+b" if (self.partial / DATA).exists() else "w+b") as file:
            file.truncate(self.bytes)
            if hasattr(os, "posix_fallocate"):  # a full disk is told now, not after the work
                os.posix_fallocate(file.fileno(), 0, self.bytes)
            for number, rows, values in zip(missing, slices, compute(slices), strict=True):
                data = np.ascontiguousarray(values, dtype="<f4").tobytes()
                start, end = self._span(number)
                content = (self._header if number == 0 else b"") + data
                if len(content) != end - start:
                    raise ValueError(f"wanted rows {rows}, got {values.shape}")
                file.seek(start)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                sums[number] = sha256(content).hexdigest()
                self._note(sums)
        self._note(sums)

    def _span(self, number: int) -> tuple[int, int]:
        """First and last byte + 1 of a chunk; the file's header belongs to the first."""
        start = self._starts[number]
        end = min(start + CHUNK_ROWS, self._rows)
        base = len(self._header)
        return (0 if number == 0 else base + start * self._row_bytes), base + end * self._row_bytes

    def _note(self, sums: Sequence[str | None]) -> None:
        text = json.dumps(self._about | {"checksums": list(sums)}, indent=1)
        beside = self.partial / f"{ABOUT}.new"
        with beside.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.partial / ABOUT)

    def _sound_chunks(self, folder: Path) -> list[str | None] | None:
        """The checksums of the chunks that are sound, None for the others.

        None instead of a list: nothing in the folder is to be trusted.
        """
        try:
            about: Any = json.loads((folder / ABOUT).read_text())
            sums = about.pop("checksums")
            if about != self._about or len(sums) != len(self._starts):
                return None
            with (folder / DATA).open("rb") as file:
                found = [self._sum(file, number) for number in range(len(sums))]
                longer = file.seek(0, os.SEEK_END) > self.bytes
        except (OSError, ValueError, AttributeError, KeyError, TypeError):
            return None
        sound = [one if one == other else None for one, other in zip(sums, found, strict=True)]
        return [*sound[:-1], None] if longer else sound

    def _sum(self, file: Any, number: int) -> str:
        start, end = self._span(number)
        file.seek(start)
        return sha256(file.read(end - start)).hexdigest()
