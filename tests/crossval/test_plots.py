"""The figures of a cross-validation show the folds' numbers, whole."""

import numpy as np
import pytest

from fmnist import names
from fmnist.crossval import plots
from fmnist.results.training import History

FOLDS = [0.897, 0.8921, 0.9002, 0.8899, 0.8955]
TEST = [0.889, 0.8874, 0.8921, 0.8856, 0.8893]


def history(fold: int, epochs: int = 3) -> History:
    return History(
        tuple(
            {names.TRAIN_LOSS: 1 / epoch + fold, names.VAL_LOSS: 2 / epoch + fold}
            for epoch in range(1, epochs + 1)
        )
    )


def test_accuracies_stand_beside_the_reports(is_whole) -> None:
    figure = plots.accuracies(FOLDS, TEST, "lenet5")
    [axes] = figure.axes
    dots = [line.get_ydata() for line in axes.lines if line.get_marker() == "o"]
    assert [list(d) for d in dots] == [FOLDS, TEST]
    told = [text.get_text() for text in axes.texts]
    assert told == ["89.49 ± 0.36 %", "88.87 ± 0.22 %", "87.71 ± 0.33 %"]
    assert is_whole(figure)


@pytest.mark.parametrize("spread", [0.0, 0.001, 0.1, 0.45])
def test_numbers_beside_a_mean_cover_nothing(is_whole, overlapping, spread: float) -> None:
    """However the folds spread: everything lies at heights where it could be in the way."""
    values = list(0.5 + spread * np.linspace(-1, 1, 7))
    figure = plots.accuracies(values, values, "densenet121")
    assert is_whole(figure)
    [axes] = figure.axes
    assert overlapping(axes.texts) == []
    boxes = [text.get_window_extent() for text in axes.texts]
    drawn = [line for line in axes.lines if len(line.get_xdata())]
    for box in boxes[:2]:
        spans = [axes.transData.transform(line.get_xydata())[:, 0] for line in drawn]
        assert not any(box.x0 < span.max() and span.min() < box.x1 for span in spans)


@pytest.mark.parametrize("epochs", [1, 3])
def test_convergence_draws_the_mean_and_one_standard_deviation(is_whole, epochs: int) -> None:
    figure = plots.convergence([history(fold, epochs) for fold in (0, 1, 2)], "lenet5")
    [axes] = figure.axes
    means = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_allclose(means["validation mean"], [2 / e + 1 for e in range(1, epochs + 1)])
    np.testing.assert_allclose(means["training mean"], [1 / e + 1 for e in range(1, epochs + 1)])
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(3 + np.sqrt(2 / 3))
    assert is_whole(figure)
