"""What the rules look at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

from fmnist.comparison import Contender, CrossvalPair, Finding, Pair
from fmnist.reports.comparing.labels import LENET


@dataclass(frozen=True)
class NearDuplicates:
    """How many test rows nearly equal a training row, and the run of `eda` that counted them."""

    rows: int
    run_id: str


@dataclass(frozen=True, eq=False)
class Facts:
    """The numbers of a comparison: at least two contenders, the most accurate first.

    Args:
        pairs: every two contenders, in any order.
        near: None when nobody has counted.
    """

    contenders: tuple[Contender, ...]
    pairs: tuple[Pair, ...]
    crossval_pairs: tuple[CrossvalPair, ...]
    class_names: tuple[str, ...]
    near: NearDuplicates | None = None

    @cached_property
    def lenets(self) -> tuple[Contender, ...]:
        return tuple(each for each in self.contenders if each.run.options.model == LENET)

    @cached_property
    def transfers(self) -> tuple[Contender, ...]:
        return tuple(each for each in self.contenders if each.run.options.model != LENET)

    @cached_property
    def leaders(self) -> tuple[Contender, Contender]:
        """The best of each family, the more accurate first; of one family its best two."""
        if self.lenets and self.transfers:
            first, second = sorted((self.lenets[0], self.transfers[0]), key=self.contenders.index)
            return first, second
        return self.contenders[0], self.contenders[1]

    def pair(self, first: Contender, second: Contender) -> Pair:
        """How the two answered, from the first's side."""
        for pair in self.pairs:
            if (pair.first, pair.second) == (first.label, second.label):
                return pair
            if (pair.second, pair.first) == (first.label, second.label):
                return _turned(pair)
        raise KeyError(f"{first.label} and {second.label} were not paired")

    @property
    def rows(self) -> int:
        """How many test rows all of them answered."""
        return len(self.contenders[0].run.rows)


Rule = Callable[[Facts], list[Finding]]


def _turned(pair: Pair) -> Pair:
    return replace(
        pair,
        first=pair.second,
        second=pair.first,
        only_first=pair.only_second,
        only_second=pair.only_first,
        difference=-pair.difference,
        low=-pair.high,
        high=-pair.low,
    )
