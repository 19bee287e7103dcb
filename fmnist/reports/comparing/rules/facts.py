"""What the rules look at."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from fmnist.comparison import Comparison, Contender, Finding, Pair
from fmnist.reports.comparing.labels import LENET
from fmnist.reports.rivals import between, rivals


@dataclass(frozen=True)
class NearDuplicates:
    """How many test rows nearly equal a training row, and the run of `eda` that counted them."""

    rows: int
    run_id: str


@dataclass(frozen=True, eq=False)
class Facts:
    """The numbers of a comparison of at least two contenders.

    Args:
        comparison: all but its findings.
        near: None when nobody has counted.
    """

    comparison: Comparison
    near: NearDuplicates | None = None

    @property
    def contenders(self) -> tuple[Contender, ...]:
        return self.comparison.contenders

    @cached_property
    def lenets(self) -> tuple[Contender, ...]:
        return tuple(each for each in self.contenders if each.run.options.model == LENET)

    @cached_property
    def transfers(self) -> tuple[Contender, ...]:
        return tuple(each for each in self.contenders if each.run.options.model != LENET)

    @cached_property
    def leaders(self) -> tuple[Contender, Contender]:
        """The best of each family, the more accurate first; of one family its best two."""
        if (found := rivals(self.comparison)) is None:
            raise ValueError("wanted at least two contenders")
        return found

    def pair(self, first: Contender, second: Contender) -> Pair:
        """How the two answered, from the first's side."""
        if (found := between(self.comparison, first, second)) is None:
            raise ValueError(f"{first.label} and {second.label} were not paired")
        return found

    @property
    def rows(self) -> int:
        """How many test rows all of them answered."""
        return len(self.contenders[0].run.rows)


Rule = Callable[[Facts], list[Finding]]
