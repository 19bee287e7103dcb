"""t-SNE of many points: openTSNE's optimizer, exact neighbors, and a stop when it has settled.

L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE", 2008. openTSNE's optimizer takes
another gradient in place of its own; ours (`repulsion`) costs less as the layout grows.
"""

from collections.abc import Callable
from math import ceil
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fmnist.eda.repulsion import Repulsion
from fmnist.errors import BadInput
from fmnist.results.eda import Floats, Layout

# Points find their neighborhood while those attract as if P were this much larger ...
EXAGGERATION: Final = 12
EXAGGERATED_ITERATIONS: Final = 75
# ... then spread: a few steps to calm down, and then with far more momentum than the customary
# 0.8, which takes five times as many iterations to the same divergence.
CALM_ITERATIONS: Final = 25
MOMENTUM: Final = 0.8
HIGH_MOMENTUM: Final = 0.98
MAX_ITERATIONS: Final = 1000

# It has settled when this many iterations lower the divergence by less than this share of it.
PATIENCE: Final = 25
SETTLED: Final = 0.003

_START_STD: Final = 1e-4  # Kobak and Berens, "The art of using t-SNE", 2019
_MIN_LEARNING_RATE: Final = 200.0  # scikit-learn's 50, whose gradient is four times this one


def neighbors_needed(perplexity: float, rows: int) -> int:
    """How many neighbors of each point t-SNE looks at: three times its perplexity.

    Raises:
        BadInput: there are not that many other points.
    """
    needed = ceil(3 * perplexity)
    if needed > rows - 1:
        most = (rows - 1) // 3
        raise BadInput(
            f"perplexity={perplexity:g}: wanted at least {needed + 1:,} images (three times the "
            f"perplexity, and one), got {rows:,}; "
            + (
                f"use a perplexity of at most {most:,} or more images"
                if most
                else "use more images"
            )
        )
    return needed


def tsne(
    start: npt.NDArray[np.float32],
    neighbors: npt.NDArray[np.int64],
    distances: Floats,
    perplexity: float,
    threads: int,
    progress: Callable[[float], None] = lambda share: None,
) -> Layout:
    """A layout of n points that keeps each point's neighbors near it.

    Args:
        start: (n, 2) where the points start, such as their first two principal components.
        neighbors, distances: (n, k) the k nearest other points, k from `neighbors_needed`.
        progress: is told the share of the most iterations there can be that is done, 0 to 1.
    """
    import openTSNE
    from openTSNE import affinity, nearest_neighbors

    affinities = affinity.PerplexityBasedNN(
        perplexity=perplexity,
        knn_index=nearest_neighbors.PrecomputedNeighbors(neighbors, distances),
        n_jobs=threads,
    )
    watch = _Watch(progress)
    spread = max(float(start[:, 0].std()), float(np.finfo(np.float32).tiny))
    layout = openTSNE.TSNEEmbedding(
        start.astype(np.float64) / spread * _START_STD,
        affinities,
        negative_gradient_method=_objective(Repulsion(threads)),
        n_jobs=threads,
        callbacks=[watch],
        callbacks_every_iters=PATIENCE,
    )
    for iterations, exaggeration, momentum in (
        (EXAGGERATED_ITERATIONS, EXAGGERATION, MOMENTUM),
        (CALM_ITERATIONS, 1, MOMENTUM),
        (MAX_ITERATIONS - EXAGGERATED_ITERATIONS - CALM_ITERATIONS, 1, HIGH_MOMENTUM),
    ):
        watch.may_stop = momentum == HIGH_MOMENTUM
        layout.optimize(
            iterations,
            inplace=True,
            exaggeration=exaggeration,
            momentum=momentum,
            learning_rate=max(len(start) / exaggeration, _MIN_LEARNING_RATE),
        )
        watch.before += iterations
    # Without a stop, the points took one more step after the last report.
    watch.divergences[-1] = (watch.divergences[-1][0], float(layout.kl_divergence))
    return Layout(np.asarray(layout, np.float32), tuple(watch.divergences))


class _Watch:
    """Keeps the divergences that openTSNE reports, and says when to stop."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self.divergences: list[tuple[int, float]] = []
        self.before = 0
        self.may_stop = False
        self._progress = progress

    def __call__(self, iteration: int, divergence: float, layout: Floats) -> bool:
        done = self.before + iteration
        last = self.divergences[-1][1] if self.divergences else np.inf
        self.divergences.append((done, float(divergence)))
        self._progress(done / MAX_ITERATIONS)
        return self.may_stop and last - divergence < SETTLED * abs(last)


def _objective(repulsion: Repulsion) -> Callable[..., tuple[float, Floats]]:
    """The gradient of the divergence as openTSNE's optimizer asks for it (without its factor 4)."""
    from openTSNE import _tsne

    def objective(
        embedding: Floats,
        P: Any,  # noqa: N803  (the name that openTSNE calls it by)
        n_jobs: int,
        should_eval_error: bool,
        **_: Any,
    ) -> tuple[float, Floats]:
        points = np.asarray(embedding)
        forces, total = repulsion(points)
        gradient = forces / -total
        # Adds the pull of each point's neighbors to the gradient, row by row.
        mass, divergence = _tsne.estimate_positive_gradient_nn(
            P.indices, P.indptr, P.data, points, points, gradient, 1.0,
            num_threads=n_jobs, should_eval_error=should_eval_error,
        )  # fmt: skip
        return float(divergence + mass * np.log(total)), gradient

    return objective
