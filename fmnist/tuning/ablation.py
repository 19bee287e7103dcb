"""Ablation: how much each technique of a recipe adds to the test accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from fmnist.options import Train

_CONFIDENCE: Final = 0.95
_ROUNDING: Final = 1e-9  # of a difference of two accuracies


@dataclass(frozen=True)
class Effect:
    """The effect of one technique, from trainings with and without it for the same seeds.

    Args:
        technique: name of the option.
        value, without: its value in the recipe, and when it is turned off.
        accuracies: test accuracy of the complete recipe for each seed.
        accuracies_without: test accuracy without the technique, for the same seeds.
    """

    technique: str
    value: str
    without: str
    accuracies: Sequence[float]
    accuracies_without: Sequence[float]

    @property
    def differences(self) -> list[float]:
        """Accuracy with minus accuracy without the technique, for each seed."""
        return np.subtract(self.accuracies, self.accuracies_without).tolist()

    @property
    def mean(self) -> float:
        """The mean difference."""
        return float(np.mean(self.differences))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % confidence interval of the mean (paired t).

        None for one seed, and for equal differences: without variance, the interval is undefined.
        """
        if len(self.accuracies) < 2 or np.ptp(self.differences) < _ROUNDING:
            return None
        test = stats.ttest_rel(self.accuracies, self.accuracies_without)
        low, high = test.confidence_interval(_CONFIDENCE)
        return float(low), float(high)


def ablations(winner: Train) -> Mapping[str, Train]:
    """Return the winner's options without each technique that it uses, by technique.

    Without its optimizer, weight decay is turned off as well.
    """
    off = Train().techniques | {"dropout": 0.0}
    used = winner.techniques | {"dropout": winner.dropout}
    result = {}
    for name in (name for name, value in used.items() if value != off[name]):
        values = {name: off[name]}
        if name == "optimizer":
            values["weight_decay"] = off["weight_decay"]
        result[name] = Train.model_validate(winner.model_dump() | values)
    return result
