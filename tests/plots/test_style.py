import io

import matplotlib
import matplotlib.image
import matplotlib.pyplot
import pytest
from matplotlib.figure import Figure

from fmnist.plots.confusion import plot_confusion_matrix
from fmnist.plots.style import format_percent_ticks, plot_style, set_epoch_axis, to_png, wrap
from fmnist.results.training import Evaluation


def test_the_style_overrides_the_rc_parameters_within_its_context() -> None:
    with matplotlib.rc_context({"font.size": 31, "axes.titleweight": "bold"}):
        before = dict(matplotlib.rcParams)
        with plot_style():
            assert matplotlib.rcParams["font.size"] == 10
            assert matplotlib.rcParams["axes.titleweight"] == "normal"
            assert matplotlib.rcParams["figure.dpi"] == 150
            # Dollar signs are not parsed as math.
            Figure().text(0, 0, r"$\frac$").get_window_extent()
        assert dict(matplotlib.rcParams) == before


def test_plotting_does_not_change_global_state(
    evaluation: Evaluation, class_names: list[str]
) -> None:
    before = dict(matplotlib.rcParams)
    to_png(plot_confusion_matrix(evaluation, class_names))
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.pyplot.get_fignums() == []


@pytest.mark.parametrize(
    ("name", "wrapped"),
    [
        ("Ankle boot", "Ankle boot"),
        ("one two three four", "one two\nthree four"),
        ("a" * 15, "a" * 10 + "\n" + "a" * 5),
        ("one two three four five six", "one two\nthree …"),
    ],
)
def test_names_are_wrapped_into_two_lines(name: str, wrapped: str) -> None:
    assert wrap(name, width=10) == wrapped


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((0, 1), {"0 %", "100 %"}),
        ((0.884, 0.894), {"88.4 %", "89.0 %"}),
        ((-0.1, 0), {"\N{MINUS SIGN}10 %"}),
    ],
)
def test_percent_ticks_share_their_decimals(limits: tuple, expected: set[str]) -> None:
    axes = Figure().add_subplot(ylim=limits)
    format_percent_ticks(axes.yaxis)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert expected <= set(labels)
    assert len({len(label.partition(".")[2]) for label in labels}) == 1


@pytest.mark.parametrize("epochs", [1, 2, 11, 50, 333])
def test_epoch_ticks_are_whole_numbers(epochs: int) -> None:
    axes = Figure().add_subplot()
    set_epoch_axis(axes, epochs)
    axes.figure.draw_without_rendering()
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    shown = [tick for tick in ticks if 1 <= float(tick) <= epochs]
    assert min(epochs, 2) <= len(shown) <= 14
    assert all(tick.isdecimal() for tick in shown)


def test_png_is_reproducible_and_has_the_resolution_of_the_figure() -> None:
    with plot_style():
        figure = Figure(figsize=(4, 2))
    # Characters without a glyph do not warn.
    figure.text(0, 0, "\N{HIRAGANA LETTER A}\U0001f45f")
    encoded = to_png(figure)
    assert matplotlib.image.imread(io.BytesIO(encoded)).shape == (300, 600, 4)
    assert to_png(figure) == encoded
