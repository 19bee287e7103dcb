"""Compare t-SNE implementations on real images: time, KL divergence and neighbors.

    python -m benchmarks.tsne [--sizes 2000 5000] [--repeats 1] [--only eda openTSNE scikit-learn]

All implementations start from the same 50 principal components of the same random images, run in
turns in one process and use all cores (limit them with `taskset`). `eda` is the implementation
that the entry point uses: scikit-learn-intelex where it is installed. On a busy machine, compare
the processor seconds; threads that wait for each other actively inflate these too.
"""

import os
import sys
from functools import partial
from unittest import mock

import numpy as np
import numpy.typing as npt
from openTSNE import affinity
from sklearn.manifold import TSNE

from benchmarks.measuring import argument_parser, format_spread, print_table, run_in_turns
from fmnist.data import dataset
from fmnist.data.pca import fit_pca, project
from fmnist.eda.embedding import fit_tsne, measure_quality

PERPLEXITY = 30
Floats = npt.NDArray[np.float32]


def run_eda(scores: Floats) -> Floats:
    return fit_tsne(scores, PERPLEXITY, seed=0).points


def run_opentsne(scores: Floats) -> Floats:
    with mock.patch.dict(sys.modules, {"sklearnex.manifold": None}):
        return fit_tsne(scores, PERPLEXITY, seed=0).points


def run_scikit_learn(scores: Floats) -> Floats:
    points: Floats = TSNE(
        perplexity=PERPLEXITY, init="pca", random_state=0, n_jobs=-1
    ).fit_transform(scores)
    return points


IMPLEMENTATIONS = {"eda": run_eda, "openTSNE": run_opentsne, "scikit-learn": run_scikit_learn}


def kl_divergence(scores: Floats, points: Floats) -> float:
    """Kullback-Leibler divergence by definition, summed over all pairs."""
    p = affinity.PerplexityBasedNN(
        scores, perplexity=PERPLEXITY, method="exact", random_state=0
    ).P.tocoo()
    positions = points.astype(np.float64)
    total = -float(len(positions))
    for start in range(0, len(positions), 500):
        difference = positions[start : start + 500, None] - positions
        total += float((1 / (1 + np.einsum("ijk,ijk->ij", difference, difference))).sum())
    squares = ((positions[p.row] - positions[p.col]) ** 2).sum(axis=1)
    return float((p.data * np.log(p.data * total * (1 + squares))).sum())


def main() -> None:
    """Print one row for each size and implementation."""
    parser = argument_parser(__doc__, repeats=1)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2000, 5000])
    parser.add_argument("--only", nargs="+", choices=IMPLEMENTATIONS, default=[*IMPLEMENTATIONS])
    arguments = parser.parse_args()
    data = dataset.load(arguments.data_dir, "auto")
    images = np.concatenate([data.train.images, data.test.images])
    labels = np.concatenate([data.train.labels, data.test.labels])
    scores = project(fit_pca(data.train.images), images)
    rows = []
    for size in arguments.sizes:
        sample = np.sort(np.random.default_rng(0).choice(len(images), size, replace=False))
        functions = {
            name: partial(IMPLEMENTATIONS[name], scores[sample]) for name in arguments.only
        }
        results, times = run_in_turns(functions, arguments.repeats)
        for name, points in results.items():
            quality = measure_quality(images[sample], labels[sample], points, seed=0)
            row = (
                f"{size:,}",
                name,
                format_spread(times[name][:, 0]),
                format_spread(times[name][:, 1]),
                f"{kl_divergence(scores[sample], points):.3f}",
                f"{quality.trustworthiness:.3f}",
                f"{quality.embedding_agreement:.3f}",
            )
            rows.append(row)
            print(*row, sep="  ", file=sys.stderr)
    print(f"perplexity {PERPLEXITY}, {os.cpu_count()} cores, median (range) of seconds")
    header = ("images", "implementation", "seconds", "processor seconds", "KL divergence")
    print_table((*header, "trustworthiness", "10-NN label agreement"), rows)


if __name__ == "__main__":
    main()
