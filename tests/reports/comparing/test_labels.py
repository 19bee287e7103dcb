"""Labels are short, unique, and name what one would otherwise not know."""

import pytest

from fmnist import names
from fmnist.options import Train
from fmnist.reports.comparing.labels import labels
from tests.compared import run


def called(*options: Train) -> list[str]:
    return labels([run(each) for each in options])


def test_the_model_alone_where_that_is_enough() -> None:
    assert called(Train(), Train(model="vgg16")) == ["lenet5", "vgg16"]


@pytest.mark.parametrize(
    ("weights", "label"),
    [
        ("hed-bsds500", "vgg16 (hed-bsds500 weights)"),
        ("none", "vgg16 (random weights)"),
        ("folder/mine.weights.h5", "vgg16 (mine.weights.h5 weights)"),
        ("imagenet", "vgg16"),
    ],
)
def test_other_weights_are_always_named(weights: str, label: str) -> None:
    assert called(Train(model="vgg16", weights=weights), Train()) == [label, "lenet5"]


def test_the_weights_that_were_found_count() -> None:
    vgg = run(Train(model="vgg16"), tags={names.TAG_WEIGHTS: "none"})
    assert labels([vgg, run(Train())])[0] == "vgg16 (random weights)"


def test_what_tells_contenders_apart_is_named() -> None:
    few = {"epochs": 3, "batch_size": 64}
    assert called(
        Train(**few),
        Train(dropout=0.4, **few),
        Train(seed=1, drop_duplicates="on", **few),
        Train(model="vgg16", input_size=64, **few),
    ) == ["lenet5", "lenet5, dropout 0.4", "lenet5, seed 1, drop duplicates on",
          "vgg16, input size 64"]  # fmt: skip


def test_what_nothing_else_tells_apart_has_its_run() -> None:
    """Ids count up here, so they differ in their last digits alone."""
    runs = [run(Train(cache_dir="one")), run(Train(cache_dir="two")), run(Train(seed=1))]
    first, second, third = labels(runs)
    assert first == f"lenet5 (run {runs[0].run_id})"
    assert second == f"lenet5 (run {runs[1].run_id})"
    assert third == "lenet5, seed 1"
