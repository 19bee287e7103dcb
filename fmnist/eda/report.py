"""Metrics, description, figures and tables of an exploratory data analysis."""

from typing import Final

from fmnist import names
from fmnist.data.duplicates import MIN_SIMILARITY
from fmnist.eda import plots, plots_embedding, tables
from fmnist.eda.audit import find_defects
from fmnist.eda.embedding import mean_adjacent
from fmnist.plots.formatting import format_percent
from fmnist.plots.style import to_png
from fmnist.results.eda import VARIANCE_FRACTIONS, Exploration

_FIGURES: Final = {
    names.FIGURE_CLASS_BALANCE: plots.class_balance,
    names.FIGURE_SAMPLES: plots.samples,
    names.FIGURE_MEAN_IMAGES: plots.mean_images,
    names.FIGURE_PIXEL_INTENSITY: plots.pixel_intensity,
    names.FIGURE_CORRELATION: plots.correlation_heatmap,
    names.FIGURE_PCA: plots_embedding.pca,
    names.FIGURE_PCA_VARIANCE: plots_embedding.pca_variance,
    names.FIGURE_TSNE: plots_embedding.tsne,
    names.FIGURE_NEAR_DUPLICATES: plots.near_duplicates,
}


def metrics(result: Exploration) -> dict[str, float]:
    """Return all metrics of the run; every value is finite."""
    train, test, pairs = result.train, result.test, result.near.pairs
    values = {
        names.TRAIN_ROWS: train.rows,
        names.TEST_ROWS: test.rows,
        names.PIXEL_MEAN: train.mean,
        names.PIXEL_STD: train.std,
        names.TEST_PIXEL_MEAN: test.mean,
        names.TEST_PIXEL_STD: test.std,
        names.MISSING_CLASSES: len(train.missing_classes) + len(test.missing_classes),
        names.CLASS_IMBALANCE: train.imbalance,
        names.MISSING_VALUES: 0,  # unsigned bytes cannot represent missing values
        names.BLANK_IMAGES: len(train.blank) + len(test.blank),
        names.CONSTANT_IMAGES: len(train.constant) + len(test.constant),
        names.CONSTANT_PIXELS: len(result.constant_pixels),
        names.DUPLICATES_TRAIN: len(result.exact.train),
        names.DUPLICATES_TEST: len(result.exact.test),
        names.DUPLICATES_ACROSS: len(result.exact.test_in_train),
        names.LABEL_CONFLICTS: result.exact.label_conflicts,
        names.NEAR_DUPLICATE_PAIRS: len(pairs),
        names.NEAR_DUPLICATE_TEST_ROWS: pairs["test_index"].nunique(),
        names.NEAR_DUPLICATE_TRAIN_ROWS: pairs["train_index"].nunique(),
        names.PCA_SHARE_2: float(result.explained_variance[:2].sum()),
        names.PCA_COMPONENTS_90: result.components_for(0.9),
        names.PCA_COMPONENTS_95: result.components_for(0.95),
        names.PCA_COMPONENTS_99: result.components_for(0.99),
        names.TSNE_KL: result.embedding.kl_divergence,
        names.TSNE_ITERATIONS: result.embedding.iterations,
        names.TSNE_TRUSTWORTHINESS: result.quality.trustworthiness,
        names.AGREEMENT_TSNE: result.quality.embedding_agreement,
        names.AGREEMENT_PIXELS: result.quality.pixel_agreement,
    }
    if (adjacent := mean_adjacent(result.correlations)) is not None:
        values[names.ADJACENT_CORRELATION] = adjacent
    return values


def files(result: Exploration) -> dict[str, bytes]:
    """Return the figures and tables of the run by artifact name."""
    return {name: to_png(plot(result)) for name, plot in _FIGURES.items()} | tables.files(
        result, metrics(result), findings(result)
    )


def describe(result: Exploration) -> str:
    """Return the findings as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in findings(result))


def findings(result: Exploration) -> list[str]:
    """Return the findings, one sentence each; defects follow the first sentence."""
    train, test, quality = result.train, result.test, result.quality
    defects = find_defects("training", train, result.class_names)
    defects += find_defects("test", test, result.class_names)
    components = ", ".join(
        f"{result.components_for(fraction)} explain {format_percent(fraction, 0)}"
        for fraction in VARIANCE_FRACTIONS
    )
    variance = format_percent(float(result.explained_variance[:2].sum()), 1)
    return [
        f"**{train.rows:,} training and {test.rows:,} test images** of 28 x 28 uint8 pixels in "
        f"{len(result.class_names)} classes; training pixels have mean {train.mean:.3f} and "
        f"standard deviation {train.std:.3f}.",
        *(defects or ["No image is blank or constant, and no class is missing or imbalanced."]),
        _describe_exact_duplicates(result),
        _describe_near_duplicates(result),
        _describe_correlations(result),
        f"Two principal components explain {variance} of the variance; {components}.",
        f"t-SNE of {len(result.tsne_rows):,} images: KL divergence "
        f"{result.embedding.kl_divergence:.3f} after {result.embedding.iterations} iterations, "
        f"trustworthiness {quality.trustworthiness:.3f}. Of the {quality.neighbors} nearest "
        f"neighbors, {format_percent(quality.embedding_agreement, 1)} have the same label in the "
        f"embedding and {format_percent(quality.pixel_agreement, 1)} in pixel space "
        f"({quality.rows:,} sampled images).",
    ]


def _describe_exact_duplicates(result: Exploration) -> str:
    exact = result.exact
    if not len(exact.train) + len(exact.test) + len(exact.test_in_train):
        return "There are no exact duplicates within or across the splits."
    return (
        f"Exact duplicates: {len(exact.train):,} training images equal an earlier training image, "
        f"{len(exact.test):,} test images equal an earlier test image, and "
        f"{len(exact.test_in_train):,} test images equal a training image; "
        f"{exact.label_conflicts:,} images equal an image with another label."
    )


def _describe_near_duplicates(result: Exploration) -> str:
    pairs = result.near.pairs
    if pairs.empty:
        return (
            "No test image is a near-duplicate of a training image (structural similarity of at "
            f"least {MIN_SIMILARITY})."
        )
    rows = pairs["test_index"].nunique()
    labels = pairs["test_label"]
    most_frequent = labels.mode()[0]
    return (
        f"{rows:,} test images ({format_percent(rows / result.test.rows)}) are near-duplicates of "
        f"a training image ({len(pairs):,} pairs with a structural similarity of at least "
        f"{MIN_SIMILARITY}, {(pairs['structural_similarity'] >= 0.99).sum():,} of at least 0.99, "
        f"{(labels != pairs['train_label']).sum():,} with different labels; "
        f"{format_percent((labels == most_frequent).mean(), 0)} of the pairs are "
        f"{result.class_names[most_frequent]})."
    )


def _describe_correlations(result: Exploration) -> str:
    constant = len(result.constant_pixels)
    first = f"{constant:,} pixels are constant" if constant else "No pixel is constant"
    adjacent = mean_adjacent(result.correlations)
    if adjacent is None:
        return f"{first}; no two adjacent pixels vary."
    return f"{first}; adjacent pixels have a mean correlation of {adjacent:.3f}."
