"""Console output of a command: it is recorded, and a status is shown below it.

The status describes the running work. On a terminal it is the last line and is redrawn every
second; elsewhere it is printed after half a minute without other output.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from fmnist.system.redaction import redact

WIDTH: Final = 79
_REDRAW_SECONDS: Final = 1.0
_SILENT_SECONDS: Final = 30.0
_CLEAR_LINE: Final = "\r\x1b[K"

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
        self._recorded: list[str] = []
        self._activities: list[Describe] = []
        self._is_drawn = self._is_paused = self._is_closed = False
        self._at_line_start = True
        self._last_output = time.monotonic()

    @property
    def text(self) -> str:
        """All output so far, without passwords and status lines."""
        return redact("".join(self._recorded))

    def write(self, stream: TextIO, text: str) -> int:
        """Write to one of the streams, above the status."""
        with self._lock:
            self._clear()
            self._recorded.append(text)
            self._last_output = time.monotonic()
            if text:
                self._at_line_start = text.endswith("\n")
            return stream.write(text)

    def start(self) -> None:
        """Update the status in a thread until `close` is called."""
        threading.Thread(target=self._work, name="console", daemon=True).start()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._clear()

    @contextmanager
    def activity(self, describe: Describe) -> Iterator[None]:
        """Show this description as the status while the block runs."""
        self._activities.append(describe)
        try:
            yield
        finally:
            self._activities.remove(describe)
            with self._lock:
                self._clear()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Show no status while another process writes to the same terminal."""
        with self._lock:
            self._clear()
            self._is_paused = True
        try:
            yield
        finally:
            self._is_paused, self._last_output = False, time.monotonic()

    def show_status(self) -> None:
        """Redraw the status on a terminal, or print it if nothing was printed for a while."""
        with self._lock:
            if self._is_closed or self._is_paused or not self._at_line_start:
                return
            if self._terminal:
                self._clear()
                self._terminal.write(self._status()[:WIDTH])
                self._terminal.flush()
                self._is_drawn = True
            elif time.monotonic() - self._last_output > _SILENT_SECONDS:
                self._last_output = time.monotonic()
                print(self._status(), file=self._stdout, flush=True)

    def _status(self) -> str:
        activities = list(self._activities)  # other threads change the list
        return activities[-1]() if activities else "working"

    def _clear(self) -> None:
        if self._is_drawn and self._terminal:
            self._terminal.write(_CLEAR_LINE)
            self._terminal.flush()
            self._is_drawn = False

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

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_consoles: Final[list[Console]] = []


@contextmanager
def open_console() -> Iterator[Console]:
    """Record the output of this process, and show the status, while the block runs."""
    stdout, stderr = sys.stdout, sys.stderr
    console = Console(stdout, stderr)
    sys.stdout, sys.stderr = _Stream(stdout, console), _Stream(stderr, console)
    _consoles.append(console)
    console.start()
    try:
        yield console
    finally:
        console.close()
        _consoles.remove(console)
        sys.stdout, sys.stderr = stdout, stderr


def current_console() -> Console:
    """Return the open console; if there is none, as in worker processes, one without status."""
    return _consoles[-1] if _consoles else Console(sys.stdout, sys.stderr)
