"""The IDX format: bytes to checked arrays and back. Needs numpy alone.

A file is two zero bytes, a type code, the number of dimensions, each dimension as a big-endian
32-bit count, then the values. Described by its author at http://yann.lecun.com/exdb/mnist/.
"""

import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fmnist.data.gunzip import GzipReader
from fmnist.errors import BadInput
from fmnist.results.training import CLASSES

Bytes = npt.NDArray[np.uint8]

SIDE = 28
MAX_ROWS = 300_000  # EMNIST Digits, the largest published set of this form, has 240,000 in a file.

_UINT8 = 0x08
# Pieces this small stay in the processor's cache on their way into the array.
_CHUNK = 1 << 17


@dataclass(frozen=True)
class _Kind:
    what: str
    item: tuple[int, ...]

    @property
    def rank(self) -> int:
        return 1 + len(self.item)

    @property
    def header_size(self) -> int:
        return 4 + 4 * self.rank

    def size(self, rows: int) -> int:
        return self.header_size + rows * int(np.prod(self.item, dtype=np.int64))


_IMAGES = _Kind("images", (SIDE, SIDE))
_LABELS = _Kind("labels", ())


def parse_images(data: bytes | Bytes, name: str) -> Bytes:
    """The images in an unpacked file: (n, 28, 28) uint8, a read-only view of `data`.

    Args:
        data: the whole unpacked file.
        name: what to call the file in messages.

    Raises:
        BadInput: the bytes are not n > 0 images of 28 x 28 uint8, exactly.
    """
    return _parse(np.frombuffer(data, np.uint8), name, _IMAGES)


def parse_labels(data: bytes | Bytes, name: str) -> Bytes:
    """The labels in an unpacked file: (n,) uint8 from 0 to 9, a read-only view of `data`.

    Arguments and errors as `parse_images`.
    """
    labels = _parse(np.frombuffer(data, np.uint8), name, _LABELS)
    if labels.max() >= CLASSES:
        row = int(np.argmax(labels >= CLASSES))
        raise BadInput(
            f"{name}: wanted labels from 0 to {CLASSES - 1}, got {labels[row]} in row {row:,}; "
            "give a file of that form or get the file again"
        )
    return labels


def read_images(path: Path) -> Bytes:
    """The images in a file: (n, 28, 28) uint8, read-only; packed with gzip if named `.gz`.

    Raises:
        BadInput: the file cannot be read, unpacked or parsed. It is refused at a cost bounded by
            its header, whatever it unpacks to.
    """
    return parse_images(_read(path, _IMAGES), str(path))


def read_labels(path: Path) -> Bytes:
    """The labels in a file: (n,) uint8 from 0 to 9, read-only; otherwise as `read_images`."""
    return parse_labels(_read(path, _LABELS), str(path))


def encode(array: Bytes) -> bytes:
    """The unpacked IDX file that holds a uint8 array of any shape."""
    return _header(array) + array.tobytes()


def checksum(array: Bytes) -> str:
    """SHA-256 of the unpacked IDX file that holds a C-contiguous array, in hex."""
    digest = sha256(_header(array))
    digest.update(array.data)
    return digest.hexdigest()


def _header(array: Bytes) -> bytes:
    if array.dtype != np.uint8 or array.ndim == 0:
        raise ValueError(f"wanted a uint8 array with dimensions, got {array.dtype} {array.shape}")
    return struct.pack(f">HBB{array.ndim}I", 0, _UINT8, array.ndim, *array.shape)


def _parse(data: Bytes, name: str, kind: _Kind) -> Bytes:
    rows = _rows(data[: kind.header_size].tobytes(), name, kind)
    if data.size != kind.size(rows):
        raise _miscounted(name, kind, rows, f"{data.size:,}")
    array = data[kind.header_size :].reshape(rows, *kind.item)
    array.flags.writeable = False
    return array


def _rows(header: bytes, name: str, kind: _Kind) -> int:
    """How many rows a file's first bytes promise; they are the bytes of `kind` or a BadInput."""

    def refuse(wanted: str, got: str) -> BadInput:
        return BadInput(
            f"{name}: wanted {wanted}, got {got}; give an idx file of uint8 {kind.what} "
            "or get the file again"
        )

    if not header:
        raise refuse(f"an idx file of {kind.what}", "an empty file")
    if header[:2] != bytes(2):
        raise refuse("an idx file, which starts with the bytes 00 00", header[:4].hex(" "))
    if len(header) >= 3 and header[2] != _UINT8:
        raise refuse(f"type code 0x{_UINT8:02x} (uint8)", f"0x{header[2]:02x}")
    if len(header) >= 4 and header[3] != kind.rank:
        raise refuse(f"{kind.rank} dimension(s) for {kind.what}", f"{header[3]}")
    if len(header) < kind.header_size:
        raise refuse(f"a header of {kind.header_size} bytes", f"{len(header)} bytes in all")
    rows, *item = struct.unpack(f">{kind.rank}I", header[4:])
    if tuple(item) != kind.item:
        raise refuse(f"images of {SIDE} x {SIDE} pixels", " x ".join(map(str, item)))
    if not 0 < rows <= MAX_ROWS:
        raise refuse(f"1 to {MAX_ROWS:,} {kind.what}", f"a header that counts {rows:,}")
    return int(rows)


def _miscounted(name: str, kind: _Kind, rows: int, got: str) -> BadInput:
    return BadInput(
        f"{name}: wanted {kind.size(rows):,} bytes unpacked, since its header counts {rows:,} "
        f"{kind.what}, got {got}; the file is damaged, get it again"
    )


def _read(path: Path, kind: _Kind) -> Bytes:
    """The unpacked bytes of a file, as many as its header says."""
    try:
        # Asked before opening, since opening a named pipe would wait for its writer.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            got = "a folder" if stat.S_ISDIR(mode) else "a device or pipe"
            raise BadInput(f"{path}: wanted a file of {kind.what}, got {got}; put the file there")
        with path.open("rb", buffering=0) as file:
            read = GzipReader(file, str(path)).read if path.suffix == ".gz" else file.read
            return _collect(read, str(path), kind)
    except FileNotFoundError as error:
        raise BadInput(
            f"{path}: wanted a file of {kind.what}, got no such file; put the file there"
        ) from error
    except OSError as error:
        raise BadInput(
            f"{path}: wanted a file that can be read, got {error.strerror or error}; "
            "check the file's permissions and its disk"
        ) from error


def _collect(read: Callable[[int], bytes], name: str, kind: _Kind) -> Bytes:
    header = b""
    while piece := read(kind.header_size - len(header)):
        header += piece
    rows = _rows(header, name, kind)
    size = kind.size(rows)
    # Memory is touched only as it is filled: a header that promises too much costs nothing.
    data = np.empty(size + 1, np.uint8)
    filled = 0
    piece = header
    while piece:
        data[filled : filled + len(piece)] = np.frombuffer(piece, np.uint8)
        filled += len(piece)
        piece = read(min(_CHUNK, size + 1 - filled))
    if filled > size:
        raise _miscounted(name, kind, rows, "more")
    return data[:filled]
