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
MRMC Variance: AUC", Academic Radiology 13, 2006. Degrees of freedom: F. Satterthwaite, "An
Approximate Distribution of Estimates of Variance Components", Biometrics Bulletin 2, 1946, and for
procedures of unequal variance B. Welch, Biometrika 34, 1947.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

# Degrees of freedom that the variance of the other procedure counts for; see `degrees_of_freedom`.
_WEIGHT: Final = 0.5


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
        return sum(self._terms) + self.images

    @property
    def variance_of_one_training(self) -> float:
        """Variance if each procedure is trained once and evaluated on as many new images."""
        return sum(self.trainings) + self.images

    @property
    def degrees_of_freedom(self) -> float:
        """Degrees of freedom of `variance`: Satterthwaite's with three modifications.

        Satterthwaite's formula treats the estimated components as exact. With two or three seeds it
        is too high if the estimate for the seeds is low by chance, and too low if equal variances
        of two procedures look unequal: in a simulation with normal effects, 95 % intervals covered
        87 to 98 % (91.5 to 98 % with equal numbers of seeds). Therefore

        - the formula is applied to the seeds only, with variances averaged with that of the other
          procedure, which counts as half a degree of freedom,
        - the result is averaged (geometrically, weight 1/4) with the conservative choice of
          textbooks, the smaller number of seeds minus 1,
        - the images, whose contribution is known precisely, multiply it by variance / (variance due
          to seeds) instead of the square.

        The weights were chosen by simulation; `benchmarks/statistics.py` measures the coverage.
        """
        freedoms = [seeds - 1 for seeds in self.seeds]
        terms = [
            (own * freedom + other * _WEIGHT) / (freedom + _WEIGHT) / seeds
            for own, other, freedom, seeds in zip(
                self.trainings, self.trainings[::-1], freedoms, self.seeds, strict=True
            )
        ]
        of_images = float(self.image_count - 1)
        if not sum(terms):
            return of_images
        of_seeds = sum(terms) ** 2 / sum(
            term**2 / freedom for term, freedom in zip(terms, freedoms, strict=True)
        )
        of_seeds = of_seeds**0.75 * min(freedoms) ** 0.25
        return min(of_images, of_seeds * self.variance / (self.variance - self.images))

    def with_seeds(self, seeds: int) -> "Components":
        """The same components with another number of seeds for each procedure."""
        return replace(self, seeds=(seeds,) * len(self.seeds))

    @property
    def _terms(self) -> list[float]:
        return [value / seeds for value, seeds in zip(self.trainings, self.seeds, strict=True)]


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
