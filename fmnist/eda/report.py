"""An exploration as others see it: numbers to chart, files to look at, a few sentences."""

import numpy as np

from fmnist import names
from fmnist.eda import (
    plots_correlation,
    plots_duplicates,
    plots_embedding,
    plots_pixels,
    tables,
)
from fmnist.eda.data_issues import defects
from fmnist.plots.style import to_png
from fmnist.results.eda import Exploration

SHARES = {
    0.9: names.PCA_COMPONENTS_90,
    0.95: names.PCA_COMPONENTS_95,
    0.99: names.PCA_COMPONENTS_99,
}


def metrics(found: Exploration) -> dict[str, float]:
    """Everything that a user would filter or chart by."""
    numbers = {
        names.TRAIN_ROWS: found.train.rows,
        names.TEST_ROWS: found.test.rows,
        names.PIXEL_MEAN: found.train.mean,
        names.PIXEL_STD: found.train.std,
        names.TEST_PIXEL_MEAN: found.test.mean,
        names.TEST_PIXEL_STD: found.test.std,
        names.MISSING_CLASSES: len(found.train.missing_classes) + len(found.test.missing_classes),
        names.CLASS_IMBALANCE: found.train.imbalance,
        names.MISSING_VALUES: 0,  # what an array of uint8 cannot hold
        names.BLANK_IMAGES: len(found.train.blank) + len(found.test.blank),
        names.CONSTANT_IMAGES: len(found.train.constant) + len(found.test.constant),
        names.CONSTANT_PIXELS: len(found.constant_pixels),
        names.DUPLICATES_TRAIN: len(found.repeats.train),
        names.DUPLICATES_TEST: len(found.repeats.test),
        names.DUPLICATES_ACROSS: len(found.repeats.shown),
        names.LABEL_CONFLICTS: found.repeats.conflicting,
        names.NEAR_DUPLICATE_PAIRS: len(found.near),
        names.NEAR_DUPLICATE_TEST_ROWS: len(np.unique(found.near.test)),
        names.NEAR_DUPLICATE_TRAIN_ROWS: len(np.unique(found.near.train)),
        names.PCA_SHARE_2: float(found.shares[:2].sum()),
        names.TSNE_KL: found.layout.divergence,
        names.TSNE_ITERATIONS: found.layout.iterations,
        names.TSNE_TRUSTWORTHINESS: found.quality.trustworthiness,
        names.AGREEMENT_TSNE: found.quality.plane_agreement,
        names.AGREEMENT_PIXELS: found.quality.pixel_agreement,
    }
    numbers |= {name: found.components_for(share) for share, name in SHARES.items()}
    if found.adjacent is not None:
        numbers[names.ADJACENT_CORRELATION] = found.adjacent
    return numbers


def files(found: Exploration) -> dict[str, bytes]:
    """The figures and tables of the run, by their artifact names."""
    class_names, labels = found.class_names, found.labels
    audits = {"training": found.train, "test": found.test}
    needed = {share: found.components_for(share) for share in SHARES}
    quality = found.quality
    told = (
        f"KL divergence {found.layout.divergence:.3f}, trustworthiness "
        f"{quality.trustworthiness:.3f}\n{quality.neighbors} nearest neighbors with the same "
        f"label: {quality.plane_agreement:.1%} in the plane, "
        f"{quality.pixel_agreement:.1%} by pixels"
    )
    shares = found.shares
    figures = {
        names.FIGURE_CLASS_BALANCE: plots_pixels.class_balance(audits, class_names),
        names.FIGURE_SAMPLES: plots_pixels.samples(found.images, found.samples, class_names),
        names.FIGURE_MEAN_IMAGES: plots_pixels.mean_images(
            found.class_images, found.train.class_counts, class_names
        ),
        names.FIGURE_PIXEL_INTENSITY: plots_pixels.pixel_intensity(audits, class_names),
        names.FIGURE_CORRELATION: plots_correlation.correlation_heatmap(
            found.correlations, found.by_distance
        ),
        names.FIGURE_PCA: plots_embedding.pca(found.scores, labels, shares, class_names),
        names.FIGURE_PCA_VARIANCE: plots_embedding.pca_variance(shares, needed),
        names.FIGURE_TSNE: plots_embedding.tsne(
            found.layout.points, labels[found.laid_out], told, class_names
        ),
        names.FIGURE_NEAR_DUPLICATES: plots_duplicates.near_duplicates(found),
    }
    return {name: to_png(figure) for name, figure in figures.items()} | tables.files(
        found, metrics(found), sentences(found)
    )


def note(found: Exploration) -> str:
    """What was found, in Markdown: the gist, then the findings as a list."""
    return "\n".join(f"- {sentence}" for sentence in sentences(found))


def sentences(found: Exploration) -> list[str]:
    """What was found, in plain sentences with numbers; what is wrong with the data comes first."""
    number = metrics(found)
    class_names = found.class_names
    wrong = defects("training", found.train, class_names)
    wrong += defects("test", found.test, class_names)
    return [
        f"**{found.train.rows:,} training and {found.test.rows:,} test images** of 28 x 28 uint8 "
        f"pixels in 10 classes; training pixels have mean {found.train.mean:.3f} and standard "
        f"deviation {found.train.std:.3f}.",
        *(wrong or ["No image is blank or constant, no class is missing or uneven."]),
        _repeats(number),
        _near(found),
        _correlation(found),
        f"Two principal components hold {number[names.PCA_SHARE_2]:.1%} of the variance; "
        f"{number[names.PCA_COMPONENTS_90]} components hold 90 %, "
        f"{number[names.PCA_COMPONENTS_95]} 95 % and {number[names.PCA_COMPONENTS_99]} 99 %.",
        f"t-SNE of {len(found.laid_out):,} images: KL divergence {found.layout.divergence:.3f} "
        f"after {found.layout.iterations} iterations, trustworthiness "
        f"{found.quality.trustworthiness:.3f}; of the {found.quality.neighbors} nearest "
        f"neighbors {found.quality.plane_agreement:.1%} have the same label in the plane, "
        f"{found.quality.pixel_agreement:.1%} among the pixels ({found.quality.rows:,} images "
        "sampled).",
    ]


def _repeats(number: dict[str, float]) -> str:
    within, among, across, conflicts = (
        int(number[name])
        for name in (
            names.DUPLICATES_TRAIN,
            names.DUPLICATES_TEST,
            names.DUPLICATES_ACROSS,
            names.LABEL_CONFLICTS,
        )
    )
    if not within + among + across:
        return "No image occurs twice, in one split or across both."
    return (
        f"Exact duplicates: {within:,} training images repeat an earlier one, {among:,} test "
        f"images repeat an earlier one, {across:,} test images are among the training images; "
        f"{conflicts:,} images share their pixels with one of another label."
    )


def _near(found: Exploration) -> str:
    near = found.near
    if not len(near):
        return f"No test image nearly equals a training image (similarity {near.similarity})."
    test_labels, train_labels = found.near_labels()
    other = int((test_labels != train_labels).sum())
    most = int(np.bincount(test_labels).argmax())
    rows = np.unique(near.test)
    return (
        f"{len(rows):,} test images ({len(rows) / found.test.rows:.2%}) nearly equal a training "
        f"image ({len(near):,} pairs of structural similarity {near.similarity} or more, "
        f"{int((near.similarities >= 0.99).sum()):,} of 0.99 or more, {other:,} with two labels; "
        f"{np.mean(test_labels == most):.0%} of the pairs are {found.class_names[most]})."
    )


def _correlation(found: Exploration) -> str:
    constant = len(found.constant_pixels)
    gone = (
        f"{constant:,} constant pixels have no correlation" if constant else "No pixel is constant"
    )
    if found.adjacent is None:
        return f"{gone}; no two adjacent pixels vary."
    return f"{gone}; adjacent pixels correlate by {found.adjacent:.3f} on average."
