"""Steps of a study or a search: entry points that run as separate processes."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from fmnist.options import Options


@dataclass(frozen=True)
class Step:
    """An entry point to run.

    Args:
        name: shown to the user.
        tags: set on its run after it has finished.
    """

    name: str
    entry_point: str
    options: Options
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> list[str]:
        """The command line of the process."""
        flags = [word for k, v in self.options.as_text().items() for word in (f"--{k}", v)]
        return [sys.executable, "-m", f"entrypoints.{self.entry_point}", *flags]


@dataclass(frozen=True)
class FinishedStep:
    """A step that has finished, now or in an earlier study.

    Args:
        metrics: the last value of each metric of its run.
        description: of its run, in Markdown.
        alarm: its drift alarm; empty if there was none.
        seconds: its duration in this study.
        was_skipped: whether an earlier run was used.
    """

    step: Step
    run_id: str
    metrics: Mapping[str, float]
    description: str
    alarm: str
    seconds: float
    was_skipped: bool
