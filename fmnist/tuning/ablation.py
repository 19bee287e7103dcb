"""What a recipe owes to each of its techniques: the trainings that tell, and what they told."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from scipy import stats

from fmnist.options import Train
from fmnist.options.recipe import REPORT

_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Effect:
    """What a technique adds to test accuracy, from trainings with and without it, seed by seed.

    Args:
        technique: the option.
        value: what it is in the recipe.
        without: what it is when it is taken away.
        with_it: test accuracy of the whole recipe, one a seed.
        without_it: the same, in the same order, without the technique.
    """

    technique: str
    value: str
    without: str
    with_it: Sequence[float]
    without_it: Sequence[float]

    @property
    def mean(self) -> float:
        """How much higher the accuracy is with it."""
        differences = [a - b for a, b in zip(self.with_it, self.without_it, strict=True)]
        return sum(differences) / len(differences)

    @property
    def interval(self) -> tuple[float, float] | None:
        """Bounds of the mean (95 %), by Student's t on the differences; None for one seed."""
        if len(self.with_it) < 2:
            return None
        if len({a - b for a, b in zip(self.with_it, self.without_it, strict=True)}) == 1:
            return self.mean, self.mean  # the t interval of equal numbers is not defined
        low, high = stats.ttest_rel(self.with_it, self.without_it).confidence_interval(_CONFIDENCE)
        return float(low), float(high)


def without_each(winner: Train) -> Mapping[str, Train]:
    """The winner without each technique that it uses, by the option's name.

    What cannot be without another goes with it: weight decay with its optimizer.
    """
    off = asdict(REPORT) | {"dropout": 0.0}
    used = asdict(winner.techniques) | {"dropout": winner.dropout}
    taken = [name for name, value in used.items() if value != off[name]]
    return {name: _without(winner, name, off) for name in taken}


def _without(winner: Train, name: str, off: Mapping[str, object]) -> Train:
    gone = {name: off[name]}
    if name == "optimizer":
        gone["weight_decay"] = off["weight_decay"]
    return Train.model_validate(winner.model_dump() | gone)
