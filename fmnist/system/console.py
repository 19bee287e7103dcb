"""Console output of a command: without secrets, recorded, with a status below it.

The status describes the running work. On a terminal it is the last line and is redrawn every
second; elsewhere it is printed after half a minute without other output.
"""

import errno
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from fmnist.errors import WorkFailed
from fmnist.system.redaction import redact

WIDTH: Final = 79
_REDRAW_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 30.0
_CLEAR_LINE: Final = "\r\x1b[K"
_RECORDED_WRITES: Final = 100_000  # the newest; a server runs for months
_STANDARD_FILES: Final = (0, 1, 2)
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Describe = Callable[[], str]


class Console:
    """The standard streams of this process, and the status below them.

    Args:
        stdout, stderr: the original streams.
    """

    def __init__(self, stdout: TextIO, stderr: TextIO) -> None:
        self._stdout = stdout
        self._terminal = next((each for each in (stdout, stderr) if each.isatty()), None)
        self._lock = threading.RLock()
        self._recorded: deque[str] = deque(maxlen=_RECORDED_WRITES)
        self._activities: list[Describe | None] = []
        self._is_drawn = self._is_closed = False
        self._at_line_start = True
        self._last_output = time.monotonic()

    @property
    def text(self) -> str:
        """The output so far, without secrets and status lines."""
        return redact("".join(self._recorded))

    def write(self, stream: TextIO, text: str) -> int:
        """Write to one of the streams, above the status and without secrets."""
        with self._lock:
            self._clear()
            self._recorded.append(text)
            self._last_output = time.monotonic()
            if text:
                self._at_line_start = text.endswith("\n")
            with _guarded(stream):
                stream.write(redact(text))
        return len(text)

    def start(self) -> None:
        """Update the status in a thread until `close` is called."""
        threading.Thread(target=self._work, name="console", daemon=True).start()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._clear()

    @contextmanager
    def activity(self, describe: Describe | None) -> Iterator[None]:
        """Show this description as the status while the block runs.

        With None no status is shown, because another process writes to the same terminal.
        """
        with self._lock:
            self._clear()
            self._activities.append(describe)
        try:
            yield
        finally:
            with self._lock:
                self._clear()
                self._activities.remove(describe)
                if describe is None:
                    self._last_output = time.monotonic()

    def show_status(self) -> None:
        """Redraw the status on a terminal, or print it if nothing was printed for a while."""
        with self._lock:
            describe = self._activities[-1] if self._activities else lambda: "working"
            if self._is_closed or describe is None or not self._at_line_start:
                return
            if self._terminal:
                self._clear()
                self._terminal.write(describe()[:WIDTH])
                self._terminal.flush()
                self._is_drawn = True
            elif time.monotonic() - self._last_output > _SILENT_SECONDS:
                self._last_output = time.monotonic()
                print(describe(), file=self._stdout, flush=True)

    def _clear(self) -> None:
        if self._is_drawn and self._terminal:
            self._is_drawn = False
            with _guarded(self._terminal):
                self._terminal.write(_CLEAR_LINE)
                self._terminal.flush()

    def _work(self) -> None:
        while not self._is_closed:
            time.sleep(_REDRAW_SECONDS)
            with suppress(OSError, ValueError):  # the stream was closed
                self.show_status()


class _Stream:
    """A standard stream that writes through the console."""

    def __init__(self, stream: TextIO, console: Console) -> None:
        self._stream, self._console = stream, console

    def write(self, text: str) -> int:
        return self._console.write(self._stream, text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with _guarded(self._stream):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _guarded(stream: TextIO) -> Iterator[None]:
    """Continue without a reader: after `| head` or a closed terminal, output is discarded.

    Raises:
        WorkFailed: the disk is full, and a redirected output would be incomplete.
    """
    try:
        yield
    except OSError as error:
        with suppress(OSError, ValueError):
            _discard(stream.fileno())  # also what is still buffered
        if error.errno in _DISK_FULL:
            raise WorkFailed(
                f"{stream.name} cannot be written ({error.strerror}); free some space, or redirect "
                "it to another disk, and run again"
            ) from error


def _discard(descriptor: int) -> None:
    """Redirect a file to one that accepts all output."""
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)


_consoles: Final[list[Console]] = []


@contextmanager
def open_console(show_status: bool = True) -> Iterator[Console]:
    """Redact and record the output of this process, and show the status, while the block runs."""
    for descriptor in _STANDARD_FILES:
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened, perhaps a database, would get it
            _discard(descriptor)
    before = sys.stdout, sys.stderr
    stdout, stderr = (each or open(os.devnull, "w") for each in before)  # noqa: SIM115
    console = Console(stdout, stderr)
    sys.stdout, sys.stderr = _Stream(stdout, console), _Stream(stderr, console)
    _consoles.append(console)
    if show_status:
        console.start()
    try:
        yield console
    finally:
        console.close()
        _consoles.remove(console)
        sys.stdout, sys.stderr = before


def current_console() -> Console:
    """Return the open console; if there is none, as in worker processes, one without status."""
    return _consoles[-1] if _consoles else Console(sys.stdout, sys.stderr)


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Suppress messages about missing GPUs that TensorFlow's C++ code writes at import.

    Python exceptions are not affected, because they are printed later.
    """
    stderr = os.dup(2)
    with open(os.devnull, "w") as devnull:
        os.dup2(devnull.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
