"""Progress of the running work in the status line, and the time that its steps take."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from fmnist.system.console import current_console

_COUNTED: Final = 100  # larger totals are shown as a percentage
_FIRST_ESTIMATE_SECONDS: Final = 2.0


@dataclass
class Progress:
    """Work in parts, with an estimate of the remaining time.

    Args:
        label: what is done, such as "fold".
        total: number of parts; 0 if unknown.
        done: number of parts that are done; those done before the start took no time now.
        parallel: number of parts that are worked on at the same time.
        estimate_after: fraction of the parts after which the remaining time is estimated; large if
            their durations differ.
    """

    label: str
    total: int = 0
    done: int = 0
    parallel: int = 1
    estimate_after: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._done_before = self.done

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
        elapsed = format_duration(time.monotonic() - self.started)
        if not self.total:
            return f"{self.label}, {elapsed}"
        count = f"{self.done} of {self.total}"
        if self.total > _COUNTED:
            count = f"{self.done / self.total:.0%}"
        return f"{self.label}: {count} done, {elapsed}{self.describe_remaining()}"

    def describe_remaining(self) -> str:
        """Format the remaining time as `, about 2 min left`; "" if it is unknown or 0."""
        elapsed = time.monotonic() - self.started
        done, total = self.done - self._done_before, self.total - self._done_before
        # When the first part is done, the others that began with it are nearly done, too.
        rounds = math.ceil(done / self.parallel)
        missing = math.ceil(total / self.parallel) - rounds
        is_early = elapsed < _FIRST_ESTIMATE_SECONDS or done < self.estimate_after * total
        if is_early or not done or not missing:
            return ""
        return f", about {format_duration(elapsed / rounds * missing)} left"


@contextmanager
def show_progress(
    label: str, total: int = 0, done: int = 0, parallel: int = 1
) -> Iterator[Progress]:
    """Show progress in the status line while the block runs; see `Progress`."""
    progress = Progress(label, total, done, parallel)
    with current_console().activity(progress.describe):
        yield progress


def format_duration(seconds: float) -> str:
    """Format a duration with one or two units: `4 s`, `12 min`, `1 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


class Steps:
    """Time named steps and print one line for each.

    Attributes:
        seconds: duration of each finished step, by name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

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
        self.seconds[name] = time.perf_counter() - started
        print(f"{label:<28}{self.seconds[name]:6.1f} s", flush=True)
