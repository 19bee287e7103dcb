"""Label issues are ranked by self-confidence over all repeats and shown with both labels."""

import numpy as np
import pytest

from fmnist import names
from fmnist.crossval.label_issues import MAX_ISSUES, find_label_issues
from fmnist.crossval.plots import plot_label_issues
from fmnist.results.training import CLASSES, Evaluation, FoldResult, History

NAMES = [f"class {label}" for label in range(CLASSES)]
HISTORY = History(({names.TRAIN_LOSS: 0.5},))


def fold(
    repeat: int, number: int, rows: list[int], labels: list[int], predicted: dict[int, float]
) -> FoldResult:
    """A fold whose images are predicted as class 9 with the probability by row, 0.05 by default."""
    confidence = np.array([predicted.get(row, 0.05) for row in rows])
    probabilities = np.zeros((len(rows), CLASSES), np.float32)
    probabilities[np.arange(len(rows)), labels] = 1 - confidence
    probabilities[:, 9] += confidence
    held_out = Evaluation(np.array(labels), probabilities)
    return FoldResult(repeat, number, HISTORY, np.array(rows), held_out, held_out, 1.0, 1, 1.0)


@pytest.fixture
def results() -> list[FoldResult]:
    """Two repeats of two folds; in the second repeat, rows are in other folds."""
    return [
        fold(1, 1, [20, 40], [0, 1], {20: 0.75, 40: 0.9}),
        fold(1, 2, [30, 10], [2, 3], {30: 0.625, 10: 0.4}),
        fold(2, 1, [10, 20], [3, 0], {10: 0.4, 20: 0.75}),
        fold(2, 2, [40, 30], [1, 2], {40: 0.7, 30: 0.4375}),
    ]


def test_images_are_ranked_by_mean_self_confidence(results: list[FoldResult]) -> None:
    issues = find_label_issues(results, NAMES)
    # Row 10 is predicted as its label.
    assert issues["index"].tolist() == [40, 20, 30]
    assert issues["self_confidence"].tolist() == pytest.approx([0.2, 0.25, 0.46875])
    assert issues["probability"].tolist() == pytest.approx([0.8, 0.75, 0.53125])
    assert issues["name"].tolist() == ["class 1", "class 0", "class 2"]
    assert set(issues["predicted_name"]) == {"class 9"}
    assert issues["agreement"].tolist() == [1, 1, 0.5]
    assert issues["repeats"].tolist() == [2, 2, 2]


def test_the_number_of_issues_is_limited() -> None:
    rows = list(range(MAX_ISSUES + 5))
    wrong = fold(1, 1, rows, [0] * len(rows), {row: 0.6 + row / 10_000 for row in rows})
    assert find_label_issues([wrong], NAMES)["index"].tolist() == rows[:4:-1]


@pytest.mark.parametrize("repeats", [1, 2])
def test_figure_shows_both_labels(
    results: list[FoldResult], repeats: int, long_class_names, fits_canvas, overlapping
) -> None:
    images = np.arange(50, dtype=np.uint8)[:, None, None] * np.ones((28, 28), np.uint8)
    issues = find_label_issues(results[: 2 * repeats], NAMES)
    [axes] = plot_label_issues(issues, images, "lenet5").axes
    assert [np.asarray(image.get_array())[0, 0] for image in axes.images] == [40, 20, 30]
    caption = axes.texts[0].get_text()
    assert "class 1" in caption
    assert "→ class 9" in caption
    assert "row 40" in caption
    assert ("2 of 2" in caption) is (repeats == 2)
    long = plot_label_issues(find_label_issues(results, long_class_names), images, "lenet5")
    assert fits_canvas(long)
    assert not overlapping(long.axes[0].texts)


def test_no_issues_are_stated() -> None:
    issues = find_label_issues([fold(1, 1, [0], [0], {})], NAMES)
    assert issues.empty
    figure = plot_label_issues(issues, np.zeros((1, 28, 28), np.uint8), "lenet5")
    assert "No label issues" in figure.texts[0].get_text()
