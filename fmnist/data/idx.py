"""Read and write IDX files, plain or compressed with gzip. Needs only NumPy.

An IDX file consists of two zero bytes, a type code, the number of dimensions, each dimension as a
big-endian 32-bit integer, and the values (http://yann.lecun.com/exdb/mnist/).
"""

import struct
import zlib
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from itertools import chain
from math import prod
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from fmnist.errors import BadInput

Bytes = npt.NDArray[np.uint8]

TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"
FILE_NAMES: Final = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

SIDE: Final = 28
MAX_ROWS: Final = 1_000_000  # the largest published dataset of this format has 697,932 (EMNIST)

_START = bytes.fromhex("00 00 08")  # 08 is the type code of uint8
_BLOCK = 1 << 17  # bytes; fits into the processor's cache
_GZIP_BLOCK = 1 << 16
# Compressed bytes that may yield nothing. Real streams need a few bytes for each block.
_GZIP_OVERHEAD = 1 << 20


def read_images(path: Path) -> Bytes:
    """Read images (n, 28, 28) uint8; a file named `.gz` is decompressed.

    Time and memory are bounded by the file's header, whatever the file decompresses to.

    Raises:
        BadInput: the file cannot be read or decompressed, or is not an IDX file of images.
    """
    return _read(path, "images", (SIDE, SIDE))


def read_labels(path: Path) -> Bytes:
    """Read labels (n,) uint8; see `read_images`."""
    return _read(path, "labels", ())


def encode(array: Bytes) -> bytes:
    """Return the IDX file of a uint8 array of any shape."""
    return _encode_header(array) + array.tobytes()


def checksum(array: Bytes) -> str:
    """Return the SHA-256 (hex) of the IDX file of a C-contiguous array."""
    digest = sha256(_encode_header(array))
    digest.update(array.data)
    return digest.hexdigest()


def _encode_header(array: Bytes) -> bytes:
    return _START + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape)


def _read(path: Path, content: str, item_shape: tuple[int, ...]) -> Bytes:
    try:
        if not path.is_file():  # opening a named pipe would block
            other = "a device or pipe" if path.exists() else "no such file"
            received = "a directory" if path.is_dir() else other
            raise BadInput(
                f"{path}: expected a file of {content}, got {received}; put the file there"
            )
        with path.open("rb", buffering=0) as file:
            is_gzip = path.suffix == ".gz"
            blocks = _decompress(file) if is_gzip else iter(partial(file.read, _BLOCK), b"")
            return _parse(blocks, str(path), content, item_shape)
    except OSError as error:
        raise BadInput(
            f"{path}: expected a readable file, got {error.strerror or error}; "
            "check the file's permissions and its disk"
        ) from error
    except (ValueError, zlib.error) as error:
        raise BadInput(
            f"{path}: expected an intact gzip file, got {error}; get the file again"
        ) from error


def _decompress(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a gzip file in blocks and check its CRC at the end.

    Python's gzip module is not used because it follows any number of headers and members, so a
    hostile file keeps it busy. A file with several members is rejected.

    Raises:
        ValueError, zlib.error: what the file is instead of an intact gzip file.
    """
    start = file.read(4)
    if not start.startswith(b"\x1f\x8b"):
        raise ValueError(f"one that starts with {start.hex(' ')}" if start else "an empty file")
    file.seek(0)
    decompressor = zlib.decompressobj(wbits=31)  # 31 selects the gzip format
    bytes_out = 0
    while not decompressor.eof:
        compressed = decompressor.unconsumed_tail or file.read(_GZIP_BLOCK)
        if not compressed:
            raise ValueError(f"one truncated to {file.tell():,} bytes")
        if file.tell() > 2 * bytes_out + _GZIP_OVERHEAD:
            raise ValueError("one that contains hardly any data")
        if block := decompressor.decompress(compressed, _BLOCK):
            bytes_out += len(block)
            yield block
    if decompressor.unused_data or file.read(1):
        raise ValueError("more bytes after its end")


def _parse(blocks: Iterator[bytes], name: str, content: str, item_shape: tuple[int, ...]) -> Bytes:
    header_size = 8 + 4 * len(item_shape)
    start = b""
    while len(start) < header_size and (block := next(blocks, b"")):
        start += block
    rows = _parse_header(start[:header_size], name, content, item_shape)
    size = rows * prod(item_shape)
    # The system provides memory as it is written, so an exaggerated row count costs nothing.
    values = np.empty(size, np.uint8)
    filled = 0
    for block in chain([start[header_size:]], blocks):
        filled += len(block)
        if filled > size:
            break
        values[filled - len(block) : filled] = np.frombuffer(block, np.uint8)
    if filled != size:
        received = "more" if filled > size else f"{header_size + filled:,}"
        raise BadInput(
            f"{name}: expected {header_size + size:,} bytes after decompression for the "
            f"{rows:,} {content} in its header, got {received}; the file is damaged, get it again"
        )
    return values.reshape(rows, *item_shape)


def _parse_header(header: bytes, name: str, content: str, item_shape: tuple[int, ...]) -> int:
    """Check a file's first bytes and return its number of rows."""
    ndim, size = 1 + len(item_shape), 8 + 4 * len(item_shape)
    error = ""
    if not header:
        error = f"an IDX file of {content}, got an empty file"
    elif header[:3] != _START:
        error = f"an IDX file, which starts with the bytes 00 00 08, got {header[:4].hex(' ')}"
    elif len(header) < size:
        error = f"a header of {size} bytes, got a file of {len(header)} bytes"
    elif header[3] != ndim:
        error = f"{ndim} dimension(s) for {content}, got {header[3]}"
    else:
        rows, *shape = struct.unpack(f">{ndim}I", header[4:])
        if tuple(shape) != item_shape:
            error = f"images of {SIDE} x {SIDE} pixels, got {' x '.join(map(str, shape))}"
        elif not 0 < rows <= MAX_ROWS:
            error = f"1 to {MAX_ROWS:,} {content}, got a header with {rows:,}"
    if error:
        raise BadInput(
            f"{name}: expected {error}; use an IDX file of uint8 {content}, or get the file again"
        )
    return int(rows)
