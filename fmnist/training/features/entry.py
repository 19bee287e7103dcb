"""One array in one file that is mapped into memory, checked chunk by chunk.

An entry is a folder: `features.npy`, which numpy reads, and `about.json` with what it was made of,
shape, dtype, and of every chunk of rows the SHA-256 and the seconds that it took. It grows under
another name and gets its own when it is whole. Chunks that were finished before a crash are kept,
damaged ones are made anew.
"""

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Status = Literal["hit", "miss", "resumed", "repaired"]
Floats = npt.NDArray[np.float32]
Compute = Callable[[Sequence[slice]], Iterator[Floats]]

CHUNK_ROWS: Final = 2048
DATA: Final = "features.npy"
ABOUT: Final = "about.json"
PARTIAL: Final = ".partial"
_FORMAT: Final = 2


class _Chunk(NamedTuple):
    sum: str
    seconds: float


class Entry:
    """A place in the cache for the array made of these things, whatever is there now."""

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
    ) -> tuple[Status, float]:
        """Make the entry whole, whatever state it is in; that state, and what all of it cost."""
        status: Status = "miss"
        chunks: list[_Chunk | None] = [None] * len(self._starts)
        if self.whole.exists():
            found = self._sound_chunks(self.whole)
            if found is not None and None not in found:
                if looks_right(self.mapped()):
                    return "hit", _cost(found)
                say("not what this code computes; computing them anew")
                found = None
            elif found is None:
                say("the cache entry is not readable as one of ours; computing it anew")
            else:
                chunks, status = found, "repaired"
                say(f"{found.count(None)} of {len(found)} chunks are damaged; computing them anew")
            shutil.rmtree(self.partial, ignore_errors=True)
            if found is None:
                shutil.rmtree(self.whole)
                status = "repaired"
            else:
                self.whole.rename(self.partial)
        elif (found := self._sound_chunks(self.partial)) is not None and any(found):
            chunks, status = found, "resumed"
            say(
                f"{len(found) - found.count(None)} of {len(found)} chunks were finished before; "
                "going on from there"
            )
        self._fill(chunks, compute)
        self.partial.rename(self.whole)
        return status, _cost(chunks)

    def mapped(self) -> Floats:
        # Private copies of pages on write: TensorFlow takes writable memory only.
        array: Floats = np.load(self.whole / DATA, mmap_mode="c")
        return array

    def _fill(self, chunks: list[_Chunk | None], compute: Compute) -> None:
        """Compute the chunks that are missing; after each, what is done is safe on the disk."""
        self.partial.mkdir(exist_ok=True)
        missing = [number for number, known in enumerate(chunks) if known is None]
        slices = [
            slice(self._starts[n], min(self._starts[n] + CHUNK_ROWS, self._rows)) for n in missing
        ]
        with (self.partial / DATA).open("r+b" if (self.partial / DATA).exists() else "w+b") as file:
            file.truncate(self.bytes)
            if hasattr(os, "posix_fallocate"):  # a full disk is told now, not after the work
                os.posix_fallocate(file.fileno(), 0, self.bytes)
            before = time.perf_counter()
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
                now = time.perf_counter()
                chunks[number] = _Chunk(sha256(content).hexdigest(), now - before)
                before = now
                self._note(chunks)
        self._note(chunks)

    def _span(self, number: int) -> tuple[int, int]:
        """First and last byte + 1 of a chunk; the file's header belongs to the first."""
        start = self._starts[number]
        end = min(start + CHUNK_ROWS, self._rows)
        base = len(self._header)
        return (0 if number == 0 else base + start * self._row_bytes), base + end * self._row_bytes

    def _note(self, chunks: Sequence[_Chunk | None]) -> None:
        text = json.dumps(self._about | {"chunks": list(chunks)}, indent=1)
        beside = self.partial / f"{ABOUT}.new"
        with beside.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.partial / ABOUT)

    def _sound_chunks(self, folder: Path) -> list[_Chunk | None] | None:
        """The chunks that are sound, None for the others.

        None instead of a list: nothing in the folder is to be trusted.
        """
        try:
            about: Any = json.loads((folder / ABOUT).read_text())
            noted = [
                chunk and _Chunk(str(chunk[0]), float(chunk[1])) for chunk in about.pop("chunks")
            ]
            if about != self._about or len(noted) != len(self._starts):
                return None
            with (folder / DATA).open("rb") as file:
                found = [self._sum(file, number) for number in range(len(noted))]
                longer = file.seek(0, os.SEEK_END) > self.bytes
        except (OSError, LookupError, ValueError, AttributeError, TypeError):
            return None
        sound = [
            chunk if chunk and chunk.sum == real else None
            for chunk, real in zip(noted, found, strict=True)
        ]
        return [*sound[:-1], None] if longer else sound

    def _sum(self, file: Any, number: int) -> str:
        start, end = self._span(number)
        file.seek(start)
        return sha256(file.read(end - start)).hexdigest()


def _cost(chunks: Sequence[_Chunk | None]) -> float:
    return sum(chunk.seconds for chunk in chunks if chunk)
