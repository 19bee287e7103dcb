import io
import subprocess
import sys

import matplotlib
import matplotlib.image
import pytest
from matplotlib.figure import Figure

from fmnist.plots.style import plot_style, to_png, wrap


def test_the_look_overrides_the_users_and_leaves_it_as_it_was() -> None:
    with matplotlib.rc_context({"font.size": 31, "axes.titleweight": "bold"}):
        before = dict(matplotlib.rcParams)
        with plot_style():
            assert matplotlib.rcParams["font.size"] == 10
            assert matplotlib.rcParams["axes.titleweight"] == "normal"
            assert matplotlib.rcParams["figure.dpi"] == 150
        assert dict(matplotlib.rcParams) == before


def test_a_dollar_sign_is_a_dollar_sign() -> None:
    with plot_style():
        text = Figure().text(0, 0, r"$\frac$")

    text.get_window_extent()


def test_figures_need_no_pyplot_and_importing_them_changes_nothing() -> None:
    program = """
import sys, matplotlib
def settings():
    # Reading "backend" would make matplotlib choose one, by way of pyplot.
    return {key: matplotlib.rcParams[key] for key in matplotlib.rcParams if key != "backend"}
before = settings()
from fmnist.comparison import plots_cost, plots_disagreements, plots_per_class
from fmnist.plots import confusion, curves
from fmnist.plots.style import to_png
from fmnist.results.training import History
import fmnist.training.plots
assert settings() == before
to_png(curves.accuracy({"lenet5": History(({"train_accuracy": 0.5},))}))
print(sorted({"matplotlib.pyplot", "pandas", "sklearn", "scipy"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ankle boot", "Ankle boot"),
        ("one two three four", "one two\nthree four"),
        ("a" * 15, "a" * 10 + "\n" + "a" * 5),
        ("one two three four five six", "one two\nthree …"),
    ],
)
def test_names_are_broken_into_two_lines(name: str, shown: str) -> None:
    assert wrap(name, width=10) == shown


def test_png_has_the_size_and_resolution_of_the_figure() -> None:
    with plot_style():
        figure = Figure(figsize=(4, 2))

    encoded = to_png(figure)

    assert matplotlib.image.imread(io.BytesIO(encoded)).shape == (300, 600, 4)


def test_the_same_figure_gives_the_same_bytes() -> None:
    figure = Figure(figsize=(1, 1))

    assert to_png(figure) == to_png(figure)
