"""Workflow of the entry point `eda`: audit, plot, correlate and project the data."""

from math import ceil
from typing import Final

import numpy as np

from fmnist import cli, names
from fmnist.data import dataset
from fmnist.data.dataset import FashionMNIST
from fmnist.errors import BadInput
from fmnist.options import Eda, configuration
from fmnist.results.eda import Exploration
from fmnist.system.progress import Steps
from fmnist.tracking.preflight import check_store

SAMPLES_PER_CLASS: Final = 12


def eda(options: Eda) -> None:
    """Explore the data in one tracked run; options and data are checked before it is created."""
    check_store()
    data = dataset.load(options.data_dir, options.cache_dir)
    check_data(data, options.tsne_rows, options.perplexity)

    from fmnist.eda import report
    from fmnist.system.memory import peak_memory
    from fmnist.tracking.run import open_run

    tags = {
        names.TAG_DATA_DIGEST: data.digest,
        **configuration(options, data.digest).tags,
    }
    steps = Steps()
    with open_run("eda", options, tags) as run:
        run.log_inputs({"training": data.train, "test": data.test}, data.source)
        with steps.step(names.EDA_SECONDS, "total"):
            result = explore(data, options.tsne_rows, options.perplexity, options.seed, steps)
            with steps.step(names.FIGURES_SECONDS, "figures"):
                files = report.files(result)
        run.log_summary(report.metrics(result))
        run.log_files(files)
        description = report.describe(result)
        run.set_tags({names.TAG_NOTE: description})
        run.log_summary({names.PEAK_MEMORY_BYTES: peak_memory(), **steps.seconds})
        cli.print_result(description)
    cli.print_summary(run, "python -m entrypoints.train")


def check_data(data: FashionMNIST, tsne_rows: int, perplexity: float) -> None:
    """Check that the options suit the data.

    Raises:
        BadInput: there are too few images for `tsne_rows` or `perplexity`, or all training images
            are equal.
    """
    rows = len(data.train) + len(data.test)
    if tsne_rows > rows:
        raise BadInput(
            f"tsne_rows={tsne_rows:,}: expected at most {rows:,} (training and test images), or 0 "
            "for all"
        )
    rows = tsne_rows or rows
    needed = ceil(3 * perplexity) + 1
    if rows < needed:
        largest = (rows - 1) // 3
        fix = f"a perplexity of at most {largest:,}, or more images" if largest else "more images"
        raise BadInput(
            f"perplexity={perplexity:g}: expected at least {needed:,} images (three times the "
            f"perplexity, plus one), got {rows:,}; use {fix}"
        )
    if (data.train.images == data.train.images[0]).all():
        raise BadInput(
            f"expected different training images, got {len(data.train):,} equal ones; "
            "use another data_dir"
        )


def explore(
    data: FashionMNIST, tsne_rows: int, perplexity: float, seed: int, steps: Steps
) -> Exploration:
    """Compute all results.

    Args:
        tsne_rows: number of images in the t-SNE embedding, 0 for all; see `check_data`.
        steps: records the seconds of each step under its metric name.
    """
    from fmnist.data.duplicates import find_exact_duplicates, find_near_duplicates
    from fmnist.data.pca import fit_pca, project
    from fmnist.eda import audit, embedding

    train, test = data.train, data.test
    images = np.concatenate([train.images, test.images])
    labels = np.concatenate([train.labels, test.labels])
    with steps.step(names.AUDIT_SECONDS, "audit"):
        train_audit, test_audit = audit.audit(train), audit.audit(test)
        class_means, class_stds = audit.class_statistics(train)
        samples = audit.sample_rows(train, SAMPLES_PER_CLASS, seed)
    with steps.step(names.DUPLICATES_SECONDS, "duplicates"):
        exact = find_exact_duplicates(train, test)
    with steps.step(names.CORRELATION_PCA_SECONDS, "correlation and PCA"):
        correlations = embedding.compute_correlations(train.images)
        pca = fit_pca(train.images)
        scores = project(pca, images)
    with steps.step(names.NEAR_DUPLICATES_SECONDS, "near-duplicates") as progress:
        near = find_near_duplicates(train, test, pca, progress)
    rows = np.arange(len(images))
    if tsne_rows:
        rows = np.sort(np.random.default_rng(seed).choice(rows, tsne_rows, replace=False))
    with steps.step(names.TSNE_SECONDS, "t-SNE"):
        tsne = embedding.compute_tsne(scores[rows], perplexity, seed)
    with steps.step(names.QUALITY_SECONDS, "quality of the embedding"):
        quality = embedding.measure_quality(images[rows], labels[rows], tsne.points, seed)
    return Exploration(
        images=images,
        labels=labels,
        class_names=data.class_names,
        digest=data.digest,
        train=train_audit,
        test=test_audit,
        class_means=class_means,
        class_stds=class_stds,
        samples=samples,
        exact=exact,
        near=near,
        correlations=correlations,
        explained_variance=pca.explained_variance_ratio_,
        scores=scores,
        tsne_rows=rows,
        embedding=tsne,
        quality=quality,
    )
