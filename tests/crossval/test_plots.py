"""Figures of a cross-validation for all kinds of histories."""

import numpy as np
import pandas as pd
import pytest

from fmnist import names
from fmnist.crossval import plots
from fmnist.results.training import History

HELD_OUT = [0.897, 0.8921, 0.9002, 0.8899, 0.8955]
TEST = [0.889, 0.8874, 0.8921, 0.8856, 0.8893]


def history(fold: int, epochs: int = 3, *, validation: bool = True) -> History:
    return History(
        tuple(
            {names.TRAIN_LOSS: 1 / epoch + fold}
            | ({names.VAL_LOSS: 2 / epoch + fold} if validation else {})
            for epoch in range(1, epochs + 1)
        )
    )


def test_accuracies_show_folds_means_and_a_given_reference(fits_canvas) -> None:
    figure = plots.plot_accuracies(HELD_OUT, TEST, "lenet5")
    [axes] = figure.axes
    points = [np.asarray(each.get_offsets())[:, 1].tolist() for each in axes.collections[:2]]
    assert points == [HELD_OUT, TEST]
    assert [text.get_text() for text in axes.texts] == ["89.49 ± 0.36 %", "88.87 ± 0.22 %"]
    assert len(axes.patches) == 0
    assert fits_canvas(figure)
    [axes] = plots.plot_accuracies(HELD_OUT, TEST, "lenet5", plots.MeanStd(0.8771, 0.0033)).axes
    assert len(axes.patches) == 1
    assert axes.texts[-1].get_text() == "87.71 ± 0.33 %"


@pytest.mark.parametrize("folds", [3, 60])
@pytest.mark.parametrize("spread", [0.0, 0.001, 0.45])
def test_labels_of_means_cover_nothing(fits_canvas, overlapping, spread: float, folds: int) -> None:
    values = list(0.5 + spread * np.linspace(-1, 1, folds))
    figure = plots.plot_accuracies(values, values, "densenet121", plots.MeanStd(0.5, 0.01))
    assert fits_canvas(figure)
    [axes] = figure.axes
    assert overlapping(axes.texts) == []
    columns = axes.transData.transform([(x, 0.5) for x in range(3)])[:, 0]
    for text in axes.texts:
        box = text.get_window_extent()
        assert not any(box.x0 < column < box.x1 for column in columns)


@pytest.mark.parametrize("epochs", [(1, 1, 1), (3, 3, 3), (2, 5, 3), (1, 4, 2)])
@pytest.mark.parametrize("validation", [True, False])
def test_convergence_shows_mean_and_folds(fits_canvas, epochs, validation: bool) -> None:
    histories = [history(fold, each, validation=validation) for fold, each in enumerate(epochs)]
    figure = plots.plot_convergence(histories, "lenet5")
    [axes] = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in axes.lines}
    curves = pd.DataFrame([pd.Series(each.column(names.TRAIN_LOSS)) for each in histories])
    np.testing.assert_allclose(lines["training mean"], curves.mean())
    assert ("validation mean" in lines) is validation
    assert ("first fold stopped early" in lines) is (len(set(epochs)) > 1)
    assert fits_canvas(figure)
    [legend] = figure.legends
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())
    assert axes.get_legend() is None


def test_convergence_band_is_one_population_standard_deviation() -> None:
    [axes] = plots.plot_convergence([history(fold) for fold in (0, 1, 2)], "lenet5").axes
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert band.max() == pytest.approx(3 + np.sqrt(2 / 3))
