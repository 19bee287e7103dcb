"""Everything that `eda` finds out about a data set, step by step."""

import os
from typing import Final

import numpy as np

from fmnist import names
from fmnist.data import duplicates, near_duplicates, pixel_stats
from fmnist.data.dataset import FashionMNIST
from fmnist.eda import audit, embedding_quality, pixel_correlation, tsne
from fmnist.eda.neighbors import nearest
from fmnist.errors import BadInput
from fmnist.results.eda import Exploration
from fmnist.system.progress import Steps

START_COMPONENTS: Final = 50
SAMPLES_A_CLASS: Final = 12


def check(data: FashionMNIST, tsne_rows: int, perplexity: float) -> None:
    """Return if the data can be explored as asked.

    Raises:
        BadInput: fewer images than t-SNE is to lay out or needs for its perplexity, or training
            images that are all the same.
    """
    rows = len(data.train) + len(data.test)
    if tsne_rows > rows:
        raise BadInput(
            f"tsne_rows={tsne_rows:,}: wanted at most {rows:,} (training and test images), or 0 "
            "for all; ask for fewer"
        )
    tsne.neighbors_needed(perplexity, tsne_rows or rows)
    if (data.train.images == data.train.images[0]).all():
        raise BadInput(
            f"wanted training images that differ, got {len(data.train):,} times the same one; "
            "give a folder with other images"
        )


def explore(
    data: FashionMNIST, tsne_rows: int, perplexity: float, seed: int, steps: Steps
) -> Exploration:
    """All findings; each step is timed by the metric name of its seconds.

    Args:
        tsne_rows: how many images t-SNE lays out, 0 for all; see `check`.
        seed: chooses the images that are drawn, laid out or sampled.
    """
    train, test = data.train, data.test
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with steps.step(names.AUDIT_SECONDS):
        audits = audit.audit(train), audit.audit(test)
        class_images = audit.class_images(train)
        samples = audit.sample_rows(train.labels, SAMPLES_A_CLASS, seed)
    with steps.step(names.DUPLICATES_SECONDS):
        repeats = duplicates.repeats(train, test)
    with steps.step(names.CORRELATION_PCA_SECONDS):
        statistics = pixel_stats.moments(train.images)
        correlations = pixel_stats.correlation(statistics)
        components = pixel_stats.components(statistics)
    by_distance = pixel_correlation.by_distance(correlations)
    with steps.step(names.NEAR_DUPLICATES_SECONDS) as tell:
        near = near_duplicates.near_duplicates(train, test, components, tell)

    images = np.concatenate([train.images, test.images])
    labels = np.concatenate([train.labels, test.labels])
    laid_out = np.arange(len(images))
    if tsne_rows:
        laid_out = np.sort(np.random.default_rng(seed).choice(laid_out, tsne_rows, replace=False))
    with steps.step(names.NEIGHBORS_SECONDS):
        scores = components.project(images, START_COMPONENTS)
        count = tsne.neighbors_needed(perplexity, len(laid_out))
        neighbors, distances = nearest(scores[laid_out], count)
    with steps.step(names.TSNE_SECONDS) as tell:
        start = scores[laid_out, :2]
        layout = tsne.tsne(start, neighbors, distances, perplexity, threads or 1, tell)
    with steps.step(names.QUALITY_SECONDS):
        quality = embedding_quality.quality(images[laid_out], labels[laid_out], layout.points, seed)
    return Exploration(
        images=images,
        labels=labels,
        class_names=data.class_names,
        digest=data.digest,
        train=audits[0],
        test=audits[1],
        class_images=class_images,
        samples=samples,
        repeats=repeats,
        near=near,
        correlations=correlations,
        by_distance=by_distance,
        adjacent=pixel_correlation.adjacent(correlations),
        shares=components.shares,
        scores=scores,
        laid_out=laid_out,
        layout=layout,
        quality=quality,
    )
