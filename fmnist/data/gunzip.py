"""Unpacking a gzip file step by step, at a cost bounded by what is asked for."""

import zlib
from typing import BinaryIO

from fmnist.errors import BadInput

_MAGIC = b"\x1f\x8b"
_WBITS = 31  # zlib's way of saying gzip
_CHUNK = 1 << 16
# Deflate adds some bytes a block; a stream far larger than what it holds is no data file.
_SLACK = 1 << 20


class GzipReader:
    """What a gzip file holds, piece by piece, its CRC checked at the end.

    Not the gzip module: that walks through headers and members in Python, for as long as a hostile
    file has any. A file of several members, which no data set has, is refused instead.

    Args:
        file: open at its start, in binary mode.
        name: what to call the file in messages.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._inflater = zlib.decompressobj(wbits=_WBITS)
        self._packed = 0
        self._unpacked = 0

    def read(self, size: int) -> bytes:
        """The next 1 to `size` bytes; nothing at the end, or when `size` is 0.

        Raises:
            BadInput: the file is empty, not gzip, truncated, corrupted, or goes on after its end.
            OSError: the file cannot be read.
        """
        while size and not self._inflater.eof:
            if piece := self._unpack(self._inflater.unconsumed_tail or self._next(), size):
                return piece
        if self._inflater.eof and (self._inflater.unused_data or self._file.read(1)):
            raise self._refuse("one packed stream", "more bytes behind it")
        return b""

    def _next(self) -> bytes:
        chunk = self._file.read(_CHUNK)
        if not self._packed:
            if not chunk:
                raise self._refuse("a gzip file", "an empty file")
            if not chunk.startswith(_MAGIC):
                start = chunk[:4].hex(" ")
                raise self._refuse("a gzip file, which starts with the bytes 1f 8b", start)
        if not chunk:
            raise self._refuse("a whole gzip file", f"one truncated to {self._packed:,} bytes")
        self._packed += len(chunk)
        if self._packed > 2 * self._unpacked + _SLACK:
            raise self._refuse("packed values", "a packed stream that unpacks to hardly anything")
        return chunk

    def _unpack(self, packed: bytes, size: int) -> bytes:
        try:
            piece = self._inflater.decompress(packed, size)
        except zlib.error as error:
            raise self._refuse("a sound gzip file", f"a corrupted one ({error})") from error
        self._unpacked += len(piece)
        return piece

    def _refuse(self, wanted: str, got: str) -> BadInput:
        return BadInput(f"{self._name}: wanted {wanted}, got {got}; get the file again")
