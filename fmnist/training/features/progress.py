"""How far a long computation is: a bar on a terminal, a line now and then in a log."""

import time
from typing import Final, Self

from tqdm import tqdm

_LOG_SECONDS: Final = 15.0


class Progress:
    """Images done, images per second and time left; a context that ends with the computation.

    Args:
        what: what is being done, in a word or two.
        total: how many images there are to do.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._started = self._told = time.monotonic()
        # Draws on a terminal only.
        self._bar = tqdm(total=total, desc=what, unit=" images", unit_scale=True, disable=None)

    def advance(self, images: int) -> None:
        self._done += images
        self._bar.update(images)
        now = time.monotonic()
        due = self._done >= self._total or now - self._told > _LOG_SECONDS
        if self._bar.disable and due:
            self._told = now
            speed = self._done / max(now - self._started, 1e-9)
            minutes, seconds = divmod(round((self._total - self._done) / speed), 60)
            print(
                f"{self._what}: {self._done:,}/{self._total:,} images  {speed:,.0f} images/s  "
                f"{minutes}:{seconds:02d} left",
                flush=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._bar.close()
