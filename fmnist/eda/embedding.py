"""Pixel correlations, the t-SNE embedding and its quality."""

import multiprocessing
import os
import signal
from math import isqrt
from multiprocessing.connection import Connection
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from fmnist.errors import WorkFailed
from fmnist.results.eda import Embedding, EmbeddingQuality, Floats, Rows
from fmnist.system.signals import exit_with_parent

_INITIAL_STD: Final = 1e-4  # Kobak and Berens, "The art of using t-SNE", 2019
_SAMPLE_ROWS: Final = 3000
_NEIGHBORS: Final = 10


def compute_correlations(images: npt.NDArray[np.uint8]) -> Floats:
    """Return the Pearson correlations (784, 784) of all pixels; NaN for constant pixels."""
    pixels = images.reshape(len(images), -1)
    # One thread: see `fit_pca`. The variance of a constant pixel is exactly 0, which gives 0 / 0.
    with threadpool_limits(1, user_api="blas"), np.errstate(invalid="ignore"):
        return np.asarray(np.corrcoef(pixels, rowvar=False))


def summarize_by_distance(correlations: Floats) -> pd.DataFrame:
    """Summarize correlations by the distance of the pixels, rounded to whole pixels."""
    side = isqrt(len(correlations))
    row, column = np.divmod(np.arange(side * side), side)
    one, other = np.triu_indices(side * side, k=1)
    distances = np.hypot(row[one] - row[other], column[one] - column[other])
    pairs = pd.DataFrame(
        {"distance": np.rint(distances), "correlation": correlations[one, other]}
    ).dropna()
    groups = pairs.groupby("distance")["correlation"]
    return pd.DataFrame(
        {
            "mean": groups.mean(),
            "lower_quartile": groups.quantile(0.25),
            "upper_quartile": groups.quantile(0.75),
            "pairs": groups.size(),
        }
    ).reset_index()


def mean_adjacent(correlations: Floats) -> float | None:
    """Return the mean correlation of horizontally or vertically adjacent pixels."""
    side = isqrt(len(correlations))
    horizontal = np.append(np.diagonal(correlations, 1), np.nan).reshape(side, side)[:, :-1]
    values = np.concatenate([horizontal.ravel(), np.diagonal(correlations, side)])
    return None if np.isnan(values).all() else float(np.nanmean(values))


def compute_tsne(scores: npt.NDArray[np.float32], perplexity: float, seed: int) -> Embedding:
    """Embed points (n, d) in two dimensions with t-SNE (van der Maaten and Hinton, 2008).

    The computation runs in a child process, because the library does not return to Python before
    it has finished, and a signal would have no effect until then.

    Args:
        scores: principal components; the first two give the initial embedding.

    Raises:
        WorkFailed: the child process was killed, for example because memory was exhausted.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_run_tsne, args=(sender, os.getpid(), scores, perplexity, seed), daemon=True
    )
    process.start()
    sender.close()
    try:
        embedding: Embedding = receiver.recv()
    except EOFError as error:
        process.join()
        raise WorkFailed(
            f"the t-SNE process ended with exit code {process.exitcode}; if memory was exhausted, "
            "use a smaller tsne_rows"
        ) from error
    finally:
        process.kill()
        process.join()
    return embedding


def _run_tsne(
    sender: Connection,
    parent: int,
    scores: npt.NDArray[np.float32],
    perplexity: float,
    seed: int,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent kills this process
    exit_with_parent(parent)
    sender.send(fit_tsne(scores, perplexity, seed))


def fit_tsne(scores: npt.NDArray[np.float32], perplexity: float, seed: int) -> Embedding:
    """Compute the embedding in this process, see `compute_tsne`."""
    spread = max(float(scores[:, 0].std()), float(np.finfo(np.float32).tiny))
    initial = scores[:, :2] / spread * _INITIAL_STD
    # Noise separates equal images. Without it, the gradient of many equal images takes minutes.
    rng = np.random.default_rng(seed)
    initial += rng.normal(0, 0.01 * _INITIAL_STD, initial.shape).astype(np.float32)
    try:
        from sklearnex.manifold import TSNE
    except ImportError:  # scikit-learn-intelex supports only x86-64
        import openTSNE

        points = openTSNE.TSNE(
            perplexity=perplexity, initialization=initial, n_jobs=-1, random_state=seed
        ).fit(scores)
        return Embedding(np.asarray(points, np.float32), float(points.kl_divergence), 750)
    tsne = TSNE(perplexity=perplexity, init=initial, random_state=seed)
    points = tsne.fit_transform(scores)
    return Embedding(points, float(tsne.kl_divergence_), int(tsne.n_iter_))


def measure_quality(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    points: npt.NDArray[np.float32],
    seed: int,
) -> EmbeddingQuality:
    """Compare neighbors in the embedding (n, 2) of images (n, 28, 28), n > 3, with pixel space."""
    from sklearn.manifold import trustworthiness

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(points), min(_SAMPLE_ROWS, len(points)), replace=False))
    pixels = images.reshape(len(images), -1).astype(np.float32)
    # scikit-learn requires fewer neighbors than half the points.
    sample_neighbors = min(_NEIGHBORS, (len(rows) - 1) // 2)
    neighbors = min(_NEIGHBORS, len(points) - 1)
    return EmbeddingQuality(
        trustworthiness=float(
            trustworthiness(pixels[rows], points[rows], n_neighbors=sample_neighbors)
        ),
        embedding_agreement=label_agreement(points, labels, rows, neighbors),
        pixel_agreement=label_agreement(pixels, labels, rows, neighbors),
        neighbors=neighbors,
        rows=len(rows),
    )


def label_agreement(
    points: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8], rows: Rows, neighbors: int
) -> float:
    """Return the fraction of the nearest neighbors of `rows` that have the same label."""
    from sklearn.neighbors import NearestNeighbors

    # A tree visits few points in two dimensions, but nearly all of them in 784.
    algorithm = "kd_tree" if points.shape[1] <= 3 else "brute"
    search = NearestNeighbors(n_neighbors=neighbors + 1, algorithm=algorithm).fit(points)
    found = search.kneighbors(points[rows], return_distance=False)
    # If there are copies of a point, the point itself may not come first.
    is_other = found != rows[:, None]
    is_other[is_other.all(axis=1), -1] = False
    others = found[is_other].reshape(len(rows), neighbors)
    return float(np.mean(labels[others] == labels[rows][:, None]))
