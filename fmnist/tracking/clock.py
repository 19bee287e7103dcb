"""The time that is told of runs."""

import time
from typing import Final

_latest: Final = [0]


def now() -> int:
    """Milliseconds since 1970, and never before an answer that was given earlier.

    A clock that is set back while a run is open would let the run end before it began, and its
    epochs run backwards.
    """
    _latest[0] = max(_latest[0], int(time.time() * 1000))
    return _latest[0]


def not_before(milliseconds: int) -> None:
    """From now on it is this time at least: of a run that an earlier process began."""
    _latest[0] = max(_latest[0], milliseconds)
