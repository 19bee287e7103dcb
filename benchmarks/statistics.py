"""Measure coverage and false positives of the comparison of training procedures by simulation.

    python -m benchmarks.statistics [--repeats 4000]

Each repetition draws new images and new trainings of two procedures, A and B, with known expected
accuracies, and calls the functions that `compare` uses. The table of docs/compare.md is its output;
it takes three to four minutes on one core.

An image is classified correctly with a probability whose logit is normal over images. Its mean and
standard deviation are those with which two trainings have 88.5 % accuracy and disagree on the
correctness of 7 % of the images, as LeNet-5 at the reference settings. A seed changes the accuracy
by a normal effect, mostly by changing the probabilities of the uncertain images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from benchmarks.measuring import argument_parser, print_table
from fmnist.evaluation.procedures import compare_procedures, expected_accuracy
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL, count_discordant, mcnemar

MEAN_LOGIT: Final = 6.65
LOGIT_DEVIATION: Final = 5.24
# An accuracy of 87.6 %.
OTHER_MEAN_LOGIT: Final = 6.4
# The part of LOGIT_DEVIATION that is specific to a procedure, if the procedures differ: two
# trainings then disagree on 9 % of the images.
INTERACTION: Final = 1.5
# Expected p (1 - p) over images, which converts a seed effect on p into one on the accuracy.
UNCERTAINTY: Final = 0.035

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """One row of the table.

    Args:
        deviations: standard deviation over seeds of the accuracy of A and of B.
        seeds: number of seeds of A and of B.
    """

    deviations: tuple[float, float]
    seeds: tuple[int, int]


def settings() -> Iterator[Setting]:
    """Equal deviations with equal numbers of seeds, then unequal numbers and deviations."""
    for deviation in (0.001, 0.002, 0.003, 0.005):
        for seeds in (2, 3, 5, 10):
            yield Setting((deviation, deviation), (seeds, seeds))
    for deviation in (0.001, 0.003, 0.005):
        yield Setting((deviation, deviation), (3, 5))
    for counts in ((2, 2), (3, 3), (5, 5), (3, 5), (5, 3)):
        yield Setting((0.001, 0.005), counts)


def simulate(setting: Setting, repeats: int, images: int, seed: int) -> Values:
    """Draw `repeats` data sets and test each.

    Returns:
        Fractions of the repetitions in which the interval of the expected accuracy of A contains
        it; the interval of the difference of unequal procedures contains it; equal procedures
        differ significantly; McNemar's test of one training each finds that they differ.
    """
    rng = np.random.default_rng(seed)
    accuracy, other = _expected_accuracy(MEAN_LOGIT), _expected_accuracy(OTHER_MEAN_LOGIT)
    correlation = 1 - (INTERACTION / LOGIT_DEVIATION) ** 2
    counts = np.zeros(4)
    for _ in range(repeats):
        shared = rng.normal(MEAN_LOGIT, LOGIT_DEVIATION, images)
        a, b = (
            _train(expit(shared), deviation, count, rng)
            for deviation, count in zip(setting.deviations, setting.seeds, strict=True)
        )
        mean = expected_accuracy(a)
        counts[0] += mean.low <= accuracy <= mean.high
        counts[2] += compare_procedures(a, b).p_value < SIGNIFICANCE_LEVEL
        counts[3] += mcnemar(*count_discordant(a[0], b[0])).p < SIGNIFICANCE_LEVEL

        # The same A with a B that is worse, and that fails on other images.
        own = rng.normal(0, LOGIT_DEVIATION * (1 - correlation**2) ** 0.5, images)
        logits = OTHER_MEAN_LOGIT + correlation * (shared - MEAN_LOGIT) + own
        b = _train(expit(logits), setting.deviations[1], setting.seeds[1], rng)
        result = compare_procedures(a, b)
        counts[1] += result.low <= accuracy - other <= result.high
    return counts / repeats


def _train(
    probabilities: Values, deviation: float, seeds: int, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """(seeds, images) bool, whether each training classifies each image correctly."""
    # Probabilities stay within 0 and 1, and their mean over seeds does not change.
    effects = rng.normal(0, deviation / UNCERTAINTY, (seeds, 1)).clip(-1, 1)
    changed = probabilities + effects * (probabilities * (1 - probabilities))
    return rng.random(changed.shape, np.float32) < changed


def _expected_accuracy(mean_logit: float) -> float:
    nodes, weights = np.polynomial.hermite_e.hermegauss(101)
    return float(expit(mean_logit + LOGIT_DEVIATION * nodes) @ weights / weights.sum())


def format_row(setting: Setting, rates: Values) -> Sequence[str]:
    deviations, seeds = (
        [str(values[0])] if values[0] == values[1] else [str(value) for value in values]
        for values in ([100 * d for d in setting.deviations], setting.seeds)
    )
    return [" and ".join(deviations), " and ".join(seeds), *(f"{100 * r:.1f} %" for r in rates)]


def main() -> None:
    repeats = argument_parser(__doc__, repeats=4000).parse_args().repeats
    rows = [
        format_row(setting, simulate(setting, repeats, images=10_000, seed=number))
        for number, setting in enumerate(settings())
    ]
    header = [
        "seed std (points)", "seeds", "coverage, accuracy", "coverage, difference",
        "false positives", "McNemar, single runs",
    ]  # fmt: skip
    print_table(header, rows)


if __name__ == "__main__":
    main()
