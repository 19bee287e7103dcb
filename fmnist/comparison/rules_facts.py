"""What the rules look at."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from fmnist.comparison.finalists import between, finalists
from fmnist.comparison.results import ComparedModel, Comparison, Finding, Pair
from fmnist.options.train import FROM_SCRATCH


@dataclass(frozen=True)
class NearDuplicates:
    """How many test rows nearly equal a training row, and the run of `eda` that counted them."""

    rows: int
    run_id: str


@dataclass(frozen=True, eq=False)
class Facts:
    """The numbers of a comparison of at least two compared_models.

    Args:
        comparison: all but its findings.
        near: None when nobody has counted.
    """

    comparison: Comparison
    near: NearDuplicates | None = None

    @property
    def compared_models(self) -> tuple[ComparedModel, ...]:
        return self.comparison.compared_models

    @cached_property
    def from_scratch(self) -> tuple[ComparedModel, ...]:
        return tuple(
            each for each in self.compared_models if each.run.options.model in FROM_SCRATCH
        )

    @cached_property
    def transfers(self) -> tuple[ComparedModel, ...]:
        return tuple(
            each for each in self.compared_models if each.run.options.model not in FROM_SCRATCH
        )

    @cached_property
    def leaders(self) -> tuple[ComparedModel, ComparedModel]:
        """The best of each family, the more accurate first; of one family its best two."""
        if (found := finalists(self.comparison)) is None:
            raise ValueError("wanted at least two compared_models")
        return found

    def pair(self, first: ComparedModel, second: ComparedModel) -> Pair:
        """How the two answered, from the first's side."""
        if (found := between(self.comparison, first, second)) is None:
            raise ValueError(f"{first.label} and {second.label} were not paired")
        return found

    @property
    def rows(self) -> int:
        """How many test rows all of them answered."""
        return len(self.compared_models[0].run.rows)


Rule = Callable[[Facts], list[Finding]]
