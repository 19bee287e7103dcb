"""Variance components of test accuracies with crossed seeds and images.

Whether training r of a procedure classifies image j correctly is modeled as: expected accuracy +
effect of the seed + effect of the image + residual. Seeds and images are random and crossed, since
all trainings are evaluated on the same images. For two procedures, the image effect is that of the
difference, which is small if both fail on the same images; seeds are nested in procedures.

The variance of the mean (or of the difference of two means) over R seeds and N images is

    sum over procedures of  seed variance / R + residual variance / (R N)   plus
    image variance / N.

The first two terms are estimated together by the sample variance of the accuracies over seeds, with
R - 1 degrees of freedom per procedure; the images follow from the analysis of variance. This is the
analysis of multi-reader multi-case studies, with seeds as readers: N. Obuchowski and H. Rockette,
Communications in Statistics - Simulation and Computation 24, 1995; B. Gallas, "One-Shot Estimate of
MRMC Variance: AUC", Academic Radiology 13, 2006.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

# Degrees of freedom that the variance of the other procedure counts for; see `degrees_of_freedom`.
_WEIGHT: Final = 0.5
# The least weight of the lower bound.
_BOUND_WEIGHT: Final = 0.25


@dataclass(frozen=True)
class Components:
    """Estimated variance components of a mean accuracy or of a difference of two.

    Args:
        trainings: for each procedure, the variance of the accuracy over seeds on fixed images.
        seeds: for each procedure, the number of seeds.
        images: variance over new test sets of this size, with infinitely many seeds.
        image_count: number of images.
    """

    trainings: tuple[float, ...]
    seeds: tuple[int, ...]
    images: float
    image_count: int

    @property
    def variance(self) -> float:
        """Variance of the mean, or of the difference of the means."""
        return float(np.divide(self.trainings, self.seeds).sum()) + self.images

    @property
    def variance_of_one_training(self) -> float:
        """Variance if each procedure is trained once and evaluated on as many new images."""
        return sum(self.trainings) + self.images

    @property
    def degrees_of_freedom(self) -> float:
        """Degrees of freedom of `variance`: Satterthwaite's with three modifications.

        Satterthwaite's formula (Biometrics Bulletin 2, 1946; Welch's for two procedures, Biometrika
        34, 1947) treats the estimated components as exact. With two or three seeds, the result is
        too high if the larger variance is underestimated, and too low if equal variances look
        unequal. Therefore

        - it is applied to the seeds only, with variances averaged with that of the other
          procedure, which counts as half a degree of freedom,
        - it is averaged (geometrically, weight 1/4) with its lower bound, the smaller number of
          seeds minus 1, with which the test is conservative (R. Mickey and M. Brown, Annals of
          Mathematical Statistics 37, 1966). With different numbers of seeds, Welch's test finds too
          many differences if the procedure with fewer seeds varies more; the weight is then the
          fraction of the variance due to this procedure to the power of 1.5, if above 1/4,
        - the images, whose contribution is known precisely, multiply it by variance / (variance due
          to seeds) instead of the square.

        The weights were chosen by simulation; `benchmarks/statistics.py` measures the coverage.
        """
        of_images = float(self.image_count - 1)
        own, seeds = np.array(self.trainings), np.array(self.seeds)
        freedoms = seeds - 1
        terms = (own * freedoms + own[::-1] * _WEIGHT) / (freedoms + _WEIGHT) / seeds
        if not terms.any():
            return of_images
        shares = terms / terms.sum()
        lowest, weight = freedoms.min(), _BOUND_WEIGHT
        if lowest < freedoms.max():
            weight = max(weight, shares[freedoms.argmin()] ** 1.5)
        of_seeds = (shares**2 / freedoms).sum() ** (weight - 1) * lowest**weight
        variance_of_seeds = np.divide(self.trainings, self.seeds).sum()
        return min(of_images, float(of_seeds * (1 + self.images / variance_of_seeds)))

    def with_seeds(self, seeds: int) -> "Components":
        """The same components with another number of seeds for each procedure."""
        return replace(self, seeds=(seeds,) * len(self.seeds))


def estimate_components(*procedures: npt.NDArray[np.bool_]) -> Components:
    """Estimate the components of one procedure, or of the difference of two.

    Args:
        procedures: one or two arrays (seeds, images) bool, at least two seeds and two images,
            whether each training classifies each image correctly.
    """
    images = procedures[0].shape[1]
    image_means = [correct.mean(axis=0) for correct in procedures]
    effects = image_means[0] - image_means[1] if len(procedures) == 2 else image_means[0]
    image_variance = float(effects.var(ddof=1))
    trainings = []
    for correct, means in zip(procedures, image_means, strict=True):
        seeds = len(correct)
        over_seeds = float(correct.mean(axis=1).var(ddof=1))
        within_images = float((means * (1 - means)).mean()) * seeds / (seeds - 1)
        residual = (within_images - over_seeds) * images / (images - 1)
        trainings.append(over_seeds)
        image_variance -= residual / seeds
    return Components(
        trainings=tuple(trainings),
        seeds=tuple(len(correct) for correct in procedures),
        images=max(0.0, image_variance) / images,
        image_count=images,
    )
