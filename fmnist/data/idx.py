"""Read and write IDX files, plain or compressed with gzip. Needs only NumPy.

An IDX file consists of two zero bytes, a type code, the number of dimensions, each dimension as a
big-endian 32-bit integer, and the values (http://yann.lecun.com/exdb/mnist/).
"""

import stat
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from fmnist.errors import BadInput
from fmnist.results.training import MAX_CLASSES

Bytes = npt.NDArray[np.uint8]

TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"
FILE_NAMES: Final = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

SIDE: Final = 28
MAX_ROWS: Final = 1_000_000  # the largest published dataset of this format has 697,932 (EMNIST)

_UINT8 = 0x08
_BLOCK = 1 << 17  # bytes; fits into the processor's cache
_GZIP_BLOCK = 1 << 16
# Compressed bytes that may yield nothing. Real streams need a few bytes for each block.
_GZIP_OVERHEAD = 1 << 20


@dataclass(frozen=True)
class _Format:
    content: str
    item_shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return 1 + len(self.item_shape)

    @property
    def header_size(self) -> int:
        return 4 + 4 * self.ndim


_IMAGES = _Format("images", (SIDE, SIDE))
_LABELS = _Format("labels", ())


def read_images(path: Path) -> Bytes:
    """Read images (n, 28, 28) uint8, read-only; a file named `.gz` is decompressed.

    Time and memory are bounded by the file's header, whatever the file decompresses to.

    Raises:
        BadInput: the file cannot be read or decompressed, or is not an IDX file of images.
    """
    return _read(path, _IMAGES)


def read_labels(path: Path) -> Bytes:
    """Read labels (n,) uint8 from 0 to 99, read-only; see `read_images`."""
    labels = _read(path, _LABELS)
    if labels.max() >= MAX_CLASSES:
        row = int(np.argmax(labels >= MAX_CLASSES))
        raise BadInput(
            f"{path}: expected labels from 0 to {MAX_CLASSES - 1}, got {labels[row]} in row "
            f"{row:,}; use a dataset with at most {MAX_CLASSES} classes, or get the file again"
        )
    return labels


def encode(array: Bytes) -> bytes:
    """Return the IDX file of a uint8 array of any shape."""
    return _encode_header(array) + array.tobytes()


def checksum(array: Bytes) -> str:
    """Return the SHA-256 (hex) of the IDX file of a C-contiguous array."""
    digest = sha256(_encode_header(array))
    digest.update(array.data)
    return digest.hexdigest()


def _encode_header(array: Bytes) -> bytes:
    if array.dtype != np.uint8 or array.ndim == 0:
        raise ValueError(f"expected a uint8 array with dimensions, got {array.dtype} {array.shape}")
    return struct.pack(f">HBB{array.ndim}I", 0, _UINT8, array.ndim, *array.shape)


class GzipReader:
    """Decompress a gzip file in blocks and check its CRC at the end.

    Python's gzip module is not used because it follows any number of headers and members, so a
    hostile file keeps it busy. A file with several members is rejected.

    Args:
        file: open at its start, in binary mode.
        name: the file's name in error messages.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._decompressor = zlib.decompressobj(wbits=31)  # 31 selects the gzip format
        self._bytes_in = 0
        self._bytes_out = 0

    def read(self, size: int) -> bytes:
        """Return the next 1 to `size` bytes; nothing at the end of the file.

        Raises:
            BadInput: the file is empty, not gzip, truncated, damaged, or has trailing bytes.
            OSError: the file cannot be read.
        """
        while size and not self._decompressor.eof:
            compressed = self._decompressor.unconsumed_tail or self._read_compressed()
            try:
                block = self._decompressor.decompress(compressed, size)
            except zlib.error as error:
                raise self._error("an intact gzip file", f"a damaged one ({error})") from error
            self._bytes_out += len(block)
            if block:
                return block
        if self._decompressor.eof and (self._decompressor.unused_data or self._file.read(1)):
            raise self._error("a single gzip stream", "more bytes after it")
        return b""

    def _read_compressed(self) -> bytes:
        block = self._file.read(_GZIP_BLOCK)
        if not self._bytes_in:
            if not block:
                raise self._error("a gzip file", "an empty file")
            if not block.startswith(b"\x1f\x8b"):
                raise self._error(
                    "a gzip file, which starts with the bytes 1f 8b", block[:4].hex(" ")
                )
        if not block:
            raise self._error("a complete gzip file", f"one truncated to {self._bytes_in:,} bytes")
        self._bytes_in += len(block)
        if self._bytes_in > 2 * self._bytes_out + _GZIP_OVERHEAD:
            raise self._error("compressed values", "a gzip stream that contains hardly any data")
        return block

    def _error(self, expected: str, received: str) -> BadInput:
        return BadInput(f"{self._name}: expected {expected}, got {received}; get the file again")


def _read(path: Path, kind: _Format) -> Bytes:
    try:
        # Check before opening, because opening a named pipe would block.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            received = "a directory" if stat.S_ISDIR(mode) else "a device or pipe"
            raise BadInput(
                f"{path}: expected a file of {kind.content}, got {received}; put the file there"
            )
        with path.open("rb", buffering=0) as file:
            read = GzipReader(file, str(path)).read if path.suffix == ".gz" else file.read
            return _read_values(read, str(path), kind)
    except FileNotFoundError as error:
        raise BadInput(
            f"{path}: expected a file of {kind.content}, got no such file; put the file there"
        ) from error
    except OSError as error:
        raise BadInput(
            f"{path}: expected a readable file, got {error.strerror or error}; "
            "check the file's permissions and its disk"
        ) from error


def _read_values(read: Callable[[int], bytes], name: str, kind: _Format) -> Bytes:
    header = b""
    while block := read(kind.header_size - len(header)):
        header += block
    rows = _parse_header(header, name, kind)
    size = rows * int(np.prod(kind.item_shape, dtype=np.int64))
    # The system provides memory as it is written, so an exaggerated row count costs nothing.
    values = np.empty(size + 1, np.uint8)
    filled = 0
    while block := read(min(_BLOCK, size + 1 - filled)):
        values[filled : filled + len(block)] = np.frombuffer(block, np.uint8)
        filled += len(block)
    if filled != size:
        received = "more" if filled > size else f"{kind.header_size + filled:,}"
        raise BadInput(
            f"{name}: expected {kind.header_size + size:,} bytes after decompression for the "
            f"{rows:,} {kind.content} in its header, got {received}; the file is damaged, get it "
            "again"
        )
    array = values[:size].reshape(rows, *kind.item_shape)
    array.flags.writeable = False
    return array


def _parse_header(header: bytes, name: str, kind: _Format) -> int:
    """Check a file's first bytes and return its number of rows."""
    error = ""
    if not header:
        error = f"an IDX file of {kind.content}, got an empty file"
    elif header[:2] != bytes(2):
        error = f"an IDX file, which starts with the bytes 00 00, got {header[:4].hex(' ')}"
    elif len(header) >= 3 and header[2] != _UINT8:
        error = f"type code 0x{_UINT8:02x} (uint8), got 0x{header[2]:02x}"
    elif len(header) >= 4 and header[3] != kind.ndim:
        error = f"{kind.ndim} dimension(s) for {kind.content}, got {header[3]}"
    elif len(header) < kind.header_size:
        error = f"a header of {kind.header_size} bytes, got a file of {len(header)} bytes"
    else:
        rows, *item_shape = struct.unpack(f">{kind.ndim}I", header[4:])
        if tuple(item_shape) != kind.item_shape:
            size = " x ".join(map(str, item_shape))
            error = f"images of {SIDE} x {SIDE} pixels, got {size}"
        elif not 0 < rows <= MAX_ROWS:
            error = f"1 to {MAX_ROWS:,} {kind.content}, got a header with {rows:,}"
    if error:
        raise BadInput(
            f"{name}: expected {error}; use an IDX file of uint8 {kind.content}, "
            "or get the file again"
        )
    return int(rows)
