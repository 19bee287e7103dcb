"""t-SNE here against scikit-learn's, side by side on real images: time, divergence, neighbors.

    python -m benchmarks.tsne [--sizes 2000 5000 10000 20000] [--repeats 3] [--threads 2]

Both start from the same 50 principal components of the same random images, at the same
perplexity and with as many threads; ours is timed from the components to the layout, exact
neighbors included, as scikit-learn's is. The two alternate in one process. On a machine that
others use as well, compare with one thread and by processor time: scikit-learn's threads wait for
each other there, and the more so the less they get, which is no fault of its algorithm. Growth is
a power law fitted to the medians of the processor time; what it says of 70,000 images is an
extrapolation, not a measurement.
"""

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import numpy.typing as npt
from openTSNE import affinity, nearest_neighbors
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from fmnist.data import dataset
from fmnist.data.pixel_stats import components, moments
from fmnist.eda import tsne
from fmnist.eda.embedding_quality import quality
from fmnist.eda.neighbors import nearest

PERPLEXITY = 30.0
ALL = 70_000
Floats = npt.NDArray[np.float32]


def ours(points: Floats, threads: int) -> Floats:
    """From components to layout as `eda` does it."""
    neighbors, distances = nearest(points, tsne.neighbors_needed(PERPLEXITY, len(points)))
    return tsne.tsne(points[:, :2], neighbors, distances, PERPLEXITY, threads).points


def theirs(points: Floats, threads: int) -> Floats:
    """scikit-learn's defaults, which start from the first two components too."""
    model = TSNE(perplexity=PERPLEXITY, init="pca", random_state=0, n_jobs=threads)
    layout: Floats = model.fit_transform(points)
    return layout


def divergence(points: Floats, layout: Floats) -> float:
    """The Kullback-Leibler divergence with exact sums over all pairs, the same for both."""
    neighbors, distances = nearest(points, tsne.neighbors_needed(PERPLEXITY, len(points)))
    index = nearest_neighbors.PrecomputedNeighbors(neighbors, distances)
    p = affinity.PerplexityBasedNN(perplexity=PERPLEXITY, knn_index=index).P.tocoo()
    places = layout.astype(np.float64)
    total = -float(len(places))
    for start in range(0, len(places), 500):
        apart = places[start : start + 500, None] - places
        total += float((1 / (1 + np.einsum("ijk,ijk->ij", apart, apart))).sum())
    q = 1 / (1 + ((places[p.row] - places[p.col]) ** 2).sum(axis=1)) / total
    return float((p.data * np.log(p.data / q)).sum())


def timed(
    lay_out: Callable[[Floats, int], Floats], points: Floats, threads: int
) -> tuple[float, float, Floats]:
    """Seconds on the clock, seconds of all processors together, and the layout."""
    clock, processor = time.perf_counter(), time.process_time()
    with threadpool_limits(threads):
        layout = lay_out(points, threads)
    return time.perf_counter() - clock, time.process_time() - processor, layout


def growth(sizes: list[int], seconds: list[float]) -> tuple[float, float]:
    """The exponent of the fitted power law, and what the law says of all images, in seconds."""
    slope, offset = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(slope), float(np.exp(offset + slope * np.log(ALL)))


def main() -> None:
    """Print one line a size, then the growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 5000, 10_000, 20_000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--data_dir", default="auto")
    parser.add_argument("--all", action="store_true", help="time ours on all 70,000 images too")
    given = parser.parse_args()

    data = dataset.load(given.data_dir, "auto")
    images = np.concatenate([data.train.images, data.test.images])
    labels = np.concatenate([data.train.labels, data.test.labels])
    scores = components(moments(data.train.images)).project(images, 50)
    for lay_out in (ours, theirs):
        timed(lay_out, scores[:500], given.threads)
    print(
        f"perplexity {PERPLEXITY:g}, {given.threads} threads, median of {given.repeats}", flush=True
    )
    medians: dict[str, list[float]] = {"ours": [], "scikit-learn": []}
    for size in given.sizes:
        rows = np.random.default_rng(0).choice(len(images), size, replace=False)
        points = scores[rows]
        took: dict[str, list[float]] = {name: [] for name in medians}
        worked: dict[str, list[float]] = {name: [] for name in medians}
        layouts: dict[str, Floats] = {}
        for _ in range(given.repeats):
            for name, lay_out in (("ours", ours), ("scikit-learn", theirs)):
                seconds, processor, layouts[name] = timed(lay_out, points, given.threads)
                took[name].append(seconds)
                worked[name].append(processor)
        for name, layout in layouts.items():
            medians[name].append(median(worked[name]))
            found = quality(images[rows], labels[rows], layout, seed=0)
            print(
                f"{size:6,} {name:12} {median(took[name]):7.1f} s, processor "
                f"{medians[name][-1]:.1f} s ({min(worked[name]):.1f} to {max(worked[name]):.1f})  "
                f"KL {divergence(points, layout):.4f}  "
                f"trustworthiness {found.trustworthiness:.4f}  "
                f"same label among 10 nearest {found.plane_agreement:.4f}",
                flush=True,
            )
        ratio = medians["ours"][-1] / medians["scikit-learn"][-1]
        print(f"{size:6,} ratio of processor time {ratio:.3f}", flush=True)
    if len(given.sizes) > 1:
        for name, seconds_of_it in medians.items():
            exponent, extrapolated = growth(given.sizes, seconds_of_it)
            print(
                f"{name}: grows as n^{exponent:.2f}; EXTRAPOLATED to {ALL:,}: {extrapolated:.0f} s"
            )
    if given.all:
        seconds, processor, _ = timed(ours, scores, given.threads)
        print(
            f"ours, all {ALL:,} images, MEASURED once: {seconds:.0f} s, processor {processor:.0f} s"
        )


if __name__ == "__main__":
    main()
