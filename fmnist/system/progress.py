"""Long work told as it goes: each step by name, its share done on a terminal, its seconds after."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

Progress = Callable[[float], None]


class Steps:
    """Times named steps and tells of them, on standard error unless told otherwise.

    A terminal sees the share done in place; anywhere else each step is one line when it ends.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = self._stream.isatty()
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """How long each step that has ended took, by its name."""
        return dict(self._seconds)

    @contextmanager
    def step(self, name: str) -> Iterator[Progress]:
        """One step; yields what its share done, 0 to 1, is told to."""
        start = time.perf_counter()

        def tell(share: float) -> None:
            if self._live:
                self._write(f"\r{name:<28}{share:4.0%}")

        tell(0)
        yield tell
        self._seconds[name] = time.perf_counter() - start
        self._write(f"{chr(13) if self._live else ''}{name:<28}{self._seconds[name]:6.1f} s\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
