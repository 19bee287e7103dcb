"""Progress output of named steps, with the time that each takes."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

Progress = Callable[[float], None]


class Steps:
    """Time named steps and print them, to standard error by default.

    On a terminal a step shows its percentage in place; elsewhere each step is one line at its end.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """Duration of each finished step, by name."""
        return dict(self._seconds)

    @contextmanager
    def step(self, name: str) -> Iterator[Progress]:
        """Run one step; yields a function that takes the completed fraction, 0 to 1."""
        start = time.perf_counter()

        def show(fraction: float) -> None:
            if self._is_terminal:
                self._write(f"\r{name:<28}{fraction:4.0%}")

        show(0)
        yield show
        self._seconds[name] = time.perf_counter() - start
        line = f"{name:<28}{self._seconds[name]:6.1f} s\n"
        self._write(f"\r{line}" if self._is_terminal else line)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
