"""What `tune` may choose, what it starts from, and the training that the winner becomes."""

import pytest

from fmnist.errors import BadInput
from fmnist.options import Train, Tune
from fmnist.options.mlproject import command
from fmnist.options.recipe import RECIPES
from fmnist.options.spaces import SPACES


def test_every_option_that_can_be_searched_is_one_of_train() -> None:
    assert SPACES.keys() <= Train.model_fields.keys()


def test_what_has_a_value_of_its_own_is_not_searched() -> None:
    searched = Tune(recipe="strong", flip="off", ema=0.5).searched
    assert {"flip", "ema"}.isdisjoint(searched)
    assert {"learning_rate", "batch_size", "dropout", "translate", "mixup"} <= set(searched)


def test_a_backbones_images_stay_as_they_are() -> None:
    searched = Tune(model="vgg16", weights="none").searched
    assert "learning_rate" in searched
    assert {"normalize", "flip", "translate", "random_erasing"}.isdisjoint(searched)


def test_only_what_is_named_is_searched() -> None:
    assert Tune(search="dropout,learning_rate").searched == ("learning_rate", "dropout")


def test_it_starts_from_what_is_given() -> None:
    start = Tune(recipe="strong", learning_rate=0.003, label_smoothing=0.33).start()
    strong = RECIPES["strong"]
    assert start["learning_rate"] == 0.003
    assert (start["translate"], start["ema"], start["flip"]) == (strong.translate, strong.ema, "on")
    assert "label_smoothing" not in start


def test_a_start_outside_the_space_is_left_to_the_search() -> None:
    assert "learning_rate" not in Tune(learning_rate=0.5, search="learning_rate,dropout").start()


def test_the_winner_is_a_training() -> None:
    tune = Tune(recipe="strong", epochs=7, keep="last", refit="all")
    winner = tune.with_chosen({"dropout": 0.2, "translate": 2}).winner()
    assert isinstance(winner, Train)
    assert (winner.epochs, winner.dropout, winner.techniques.translate) == (7, 0.2, 2)
    assert winner.validation_fraction == 0
    assert winner.techniques.flip == "on"
    assert command("train", winner) == (
        "uv run mlflow run . -e train --env-manager local -P epochs=7 -P dropout=0.2 "
        "-P validation_fraction=0.0 -P keep=last -P recipe=strong -P translate=2"
    )


def test_how_much_is_tried_is_another_matter_than_what() -> None:
    """So that a study can be made longer."""
    assert Tune(trials=5).fingerprint_fields() == Tune(trials=9, workers=3).fingerprint_fields()
    assert Tune(epochs=5).fingerprint_fields() != Tune(epochs=6).fingerprint_fields()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"search": "dropout,epochs"}, "`epochs` cannot be searched"),
        ({"search": "flip", "model": "vgg16"}, "`flip` cannot be searched for model=vgg16"),
        ({"scoring_folds": 1}, "wanted 0, or 2 or more"),
        ({"validation_fraction": 0, "keep": "last"}, "compared on validation rows"),
        ({"refit": "all"}, "keep=last"),
        ({"refit": "all", "keep": "last", "patience": 3}, "patience=0"),
        ({"study": "../up"}, "study=../up"),
    ],
)
def test_what_cannot_work_is_told(options: dict, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Tune(**options)
