"""Standard output and error that hide secrets, and that work without a reader."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from fmnist.errors import WorkFailed
from fmnist.system.redaction import redact

_STANDARD_FILES: Final = (0, 1, 2)


class GuardedStream:
    """A text stream that redacts what is written, and continues without a reader.

    After `| head` has ended, or when a terminal is closed, output is discarded. A full disk raises
    WorkFailed, because a redirected output would be incomplete.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with self._guarded():
            self._stream.write(redact(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._guarded():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._discard()
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise WorkFailed(
                    f"{self._stream.name} cannot be written ({error.strerror}); free some space, "
                    "or redirect it to another disk, and run again"
                ) from error

    def _discard(self) -> None:
        """Redirect the file to one that accepts all output, including what is still buffered."""
        with suppress(OSError, ValueError):
            _redirect(self._stream.fileno())


@contextmanager
def guarded_output() -> Iterator[None]:
    """Guard standard output and error during the block, also those of child processes."""
    for descriptor in _STANDARD_FILES:
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened, perhaps a database, would get it
            _redirect(descriptor)
    before = sys.stdout, sys.stderr
    streams = [GuardedStream(each or open(os.devnull, "w")) for each in before]  # noqa: SIM115
    sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _redirect(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
