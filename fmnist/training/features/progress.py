"""How far a long computation is, on a terminal or in a log."""

import sys
import time
from typing import Final

_LOG_SECONDS: Final = 15.0
_TERMINAL_SECONDS: Final = 0.2
_BAR: Final = 24


class Progress:
    """Images done, images per second and time left: a bar on a terminal, a line now and then else.

    Args:
        what: what is being done, in a word.
        total: how many images there are to do.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._terminal = sys.stdout.isatty()
        self._started = self._told = time.monotonic()

    def advance(self, images: int) -> None:
        self._done += images
        now = time.monotonic()
        last = self._done >= self._total
        if last or now - self._told > (_TERMINAL_SECONDS if self._terminal else _LOG_SECONDS):
            self._told = now
            text = self._text(now - self._started)
            if self._terminal:
                full = _BAR * self._done // self._total
                bar = "█" * full + "·" * (_BAR - full)
                print(f"\r{bar} {text}", end="\n" if last else "", flush=True)
            else:
                print(text, flush=True)

    def _text(self, seconds: float) -> str:
        speed = self._done / max(seconds, 1e-9)
        left = (self._total - self._done) / max(speed, 1e-9)
        return (
            f"{self._what}: {self._done:,}/{self._total:,} images  {speed:,.0f} images/s  "
            f"{int(left) // 60}:{int(left) % 60:02d} left"
        )
