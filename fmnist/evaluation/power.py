"""Power of t-tests with few degrees of freedom: detectable differences and seeds needed."""

from bisect import bisect_left
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.evaluation.variance import Components

POWER: Final = 0.8
LEVEL: Final = 0.05

# `count_seeds_needed` returns None above this number of seeds per procedure.
MAX_SEEDS: Final = 100

Values = npt.NDArray[np.float64]


def detectable_effect(freedom: float) -> float:
    """The difference, in standard errors, that a t-test detects with 80 % power at the 5 % level.

    Interpolated; the error is below 0.1 %.

    Args:
        freedom: degrees of freedom, at least 1.
    """
    inverses, logarithms = _tabulate()
    return float(np.exp(np.interp(1 / freedom, inverses, logarithms)))


def count_seeds_needed(difference: float, components: Components) -> int | None:
    """The smallest number of seeds per procedure with which a difference is detected.

    Returns:
        At least 2; None if more than `MAX_SEEDS`, because the difference is too small for the
        variation over seeds, or for the number of images whatever the number of seeds.
    """

    def is_enough(seeds: int) -> bool:
        planned = components.with_seeds(seeds)
        error = planned.variance**0.5
        return difference > detectable_effect(planned.degrees_of_freedom) * error

    seeds = bisect_left(range(2, MAX_SEEDS + 1), True, key=is_enough) + 2
    return seeds if seeds <= MAX_SEEDS else None


@cache
def _tabulate() -> tuple[Values, Values]:
    """Inverse degrees of freedom, and the logarithms of the effects detected with them.

    The noncentral t distribution is computed as the mean over quantiles of the estimated standard
    error, because scipy's returns NaN for large effects.
    """
    from scipy.special import chdtri, ndtr, stdtrit

    inverses = np.linspace(1e-4, 1, 100)
    freedoms = 1 / inverses[:, None]
    errors = np.sqrt(chdtri(freedoms, (np.arange(500) + 0.5) / 500) / freedoms)
    bounds = stdtrit(freedoms, 1 - LEVEL / 2) * errors
    low, high = np.zeros_like(inverses), np.full_like(inverses, 50.0)
    for _ in range(30):
        middle = (low + high) / 2
        effects = middle[:, None]
        has_power = (ndtr(effects - bounds) + ndtr(-effects - bounds)).mean(axis=1) >= POWER
        low, high = np.where(has_power, low, middle), np.where(has_power, middle, high)
    return inverses, np.log(high)
