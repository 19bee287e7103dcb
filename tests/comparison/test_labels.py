"""Labels are short, unique, and name what one would otherwise not know."""

from dataclasses import replace

import pytest

from fmnist import names
from fmnist.comparison.labels import labels
from fmnist.options import Train
from tests.helpers.comparisons import run


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
    """By as much of its id as it takes."""
    ids = ("abcdef0123" + "0" * 22, "abcdef0127" + "0" * 22, "f" * 32)
    runs = [run(Train(cache_dir="one")), run(Train(cache_dir="two")), run(Train(seed=1))]
    runs = [replace(one, run_id=run_id) for one, run_id in zip(runs, ids, strict=True)]
    first, second, third = labels(runs)
    assert first == "lenet5 (run abcdef0123)"
    assert second == "lenet5 (run abcdef0127)"
    assert third == "lenet5, seed 1"


def test_a_recipe_is_named_with_what_departs_from_it() -> None:
    assert called(
        Train(),
        Train(recipe="strong"),
        Train(recipe="strong", translate=0, epochs=60),
        Train(flip="on"),
        Train(model="convnet", recipe="strong"),
        Train(model="vgg16", recipe="strong"),
    ) == [
        "lenet5",
        "lenet5, recipe strong",
        "lenet5, recipe strong, epochs 60, translate 0",
        "lenet5, flip on",
        "convnet, recipe strong",
        "vgg16, recipe strong",
    ]


def test_a_recipe_that_all_follow_is_not_named() -> None:
    strong = {"recipe": "strong"}
    assert called(Train(**strong), Train(ema=0, **strong)) == ["lenet5", "lenet5, ema 0.0"]
