"""Steps of a study or a search: entry points that run as separate processes."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fmnist.options import Options, Train


@dataclass(frozen=True)
class Step:
    """An entry point to run.

    Args:
        name: shown to the user; trainings of one model with several seeds have the same name.
        digest: configuration digest of its run; empty if it is not known.
        run_name: name of its run; empty to describe its options.
        tags: set on its run after it has finished.
    """

    name: str
    entry_point: str
    options: Options
    digest: str = ""
    run_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its name; says whether a backbone has random weights, which transfer nothing."""
        is_random = isinstance(self.options, Train) and self.options.weights == "none"
        return f"{self.name} (random features)" if is_random else self.name

    @property
    def title(self) -> str:
        """Its label, with the seed of a training."""
        if isinstance(self.options, Train):
            return f"{self.label}, seed {self.options.seed}"
        return self.label


def command_of(steps: Sequence[Step]) -> list[str]:
    """The command line of a process that runs steps which differ only in their seed."""
    first = steps[0]
    given = {name: getattr(first.options, name) for name in first.options.model_fields_set}
    given |= {"run_name": first.run_name} if first.run_name else {}
    flags = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    if first.entry_point != "train":
        return [sys.executable, "-m", f"entrypoints.{first.entry_point}", *flags]
    seeds = ",".join(step.options.as_text()["seed"] for step in steps)
    return [sys.executable, "-m", "fmnist.training.replicates", seeds, *flags]


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
