"""Progress of the running work in the status line, and the time that its steps take."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from fmnist.system.console import current_console

Clock = Callable[[], float]

_COUNTED: Final = 100  # larger totals are shown as a percentage
_FIRST_ESTIMATE_SECONDS: Final = 2.0


class Progress:
    """Work in equal parts, with an estimate of the remaining time.

    Args:
        label: what is done, such as "fold".
        total: number of parts; 0 if unknown.
        done: number of parts that were done before and took no time now.
        parallel: number of parts that are worked on at the same time.
    """

    def __init__(
        self,
        label: str,
        total: int = 0,
        done: int = 0,
        *,
        parallel: int = 1,
        clock: Clock = time.monotonic,
    ) -> None:
        self.label = label
        self._parallel = parallel
        self._total, self.done, self._done_before = total, done, done
        self._clock, self._started = clock, clock()

    def update(self, done: int, label: str = "") -> None:
        """Set the number of parts that are done, and what is done next."""
        self.done = done
        self.label = label or self.label

    def skip(self) -> None:
        """Count one part that took no time."""
        self.done += 1
        self._done_before += 1

    def describe(self) -> str:
        """Format done and total parts, elapsed and remaining time."""
        elapsed = format_duration(self._clock() - self._started)
        if not self._total:
            return f"{self.label}, {elapsed}"
        count = f"{self.done} of {self._total}"
        if self._total > _COUNTED:
            count = f"{self.done / self._total:.0%}"
        return f"{self.label}: {count} done, {elapsed}{self.describe_remaining()}"

    def describe_remaining(self) -> str:
        """Format the remaining time as `, about 2 min left`; "" if it is unknown or 0."""
        elapsed = self._clock() - self._started
        # When the first part is done, the others that began with it are nearly done, too.
        rounds = -((self._done_before - self.done) // self._parallel)
        missing = -((self._done_before - self._total) // self._parallel) - rounds
        if elapsed < _FIRST_ESTIMATE_SECONDS or not rounds or not missing:
            return ""
        return f", about {format_duration(elapsed / rounds * missing)} left"


@contextmanager
def show_progress(
    label: str, total: int = 0, done: int = 0, parallel: int = 1
) -> Iterator[Progress]:
    """Show progress in the status line while the block runs; see `Progress`."""
    progress = Progress(label, total, done, parallel=parallel)
    with current_console().activity(progress.describe):
        yield progress


def format_duration(seconds: float) -> str:
    """Format a duration with one or two units: `4 s`, `12 min`, `1 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


class Steps:
    """Time named steps and print one line for each."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """Duration of each finished step, by name."""
        return dict(self._seconds)

    @contextmanager
    def step(self, name: str, label: str) -> Iterator[Callable[[float], None]]:
        """Run one step; yields a function that takes the completed fraction, 0 to 1.

        Args:
            name: the metric for its duration.
            label: what is shown.
        """
        started = time.perf_counter()
        with show_progress(label, 100_000) as progress:
            yield lambda fraction: progress.update(round(100_000 * fraction))
        self._seconds[name] = time.perf_counter() - started
        print(f"{label:<28}{self._seconds[name]:6.1f} s", flush=True)
