"""Recipes set the options that are not given."""

from pathlib import Path

import pytest
import yaml

from fmnist.__main__ import main
from fmnist.options import Crossval, Train, Tune, configuration
from fmnist.options.command_line import parse
from fmnist.options.mlproject import command, mlproject
from fmnist.options.recipe import OF_IMAGES, RECIPES

REPORT = Train().techniques
STRONG = Train(recipe="strong").techniques
OTHER = {
    "normalize": "off", "flip": "off", "translate": 0, "random_erasing": 0.5, "mixup": 0.5,
    "optimizer": "sgd", "weight_decay": 0.5, "schedule": "onecycle", "warmup": 0.5,
    "label_smoothing": 0.5, "ema": 0.5, "patience": 5,
}  # fmt: skip
NAMED = [name for name, recipe in RECIPES.items() if recipe.accuracy]


def test_the_reference_report_uses_no_technique() -> None:
    assert Crossval().techniques == REPORT
    words = {name: value for name, value in REPORT.items() if value}
    assert words == {
        "normalize": "off", "flip": "off", "optimizer": "adam", "schedule": "constant",
    }  # fmt: skip


def test_parameters_of_earlier_versions_are_understood() -> None:
    before_techniques = {"epochs": "10", "model": "lenet5", "learning_rate": "0.001"}
    assert Train.from_text(before_techniques) == Train()
    before_version_2 = {"recipe": "strong", "flip": "off", "ema": "recipe", "translate": "recipe"}
    assert Train.from_text(before_version_2) == Train(recipe="strong", flip="off")


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_alone_is_the_same_configuration_as_its_options(name: str) -> None:
    recipe = parse(Train, ["--recipe", name], "train")
    arguments = [f"--{option}={value}" for option, value in RECIPES[name].options.items()]
    by_hand = parse(Train, arguments, "train")
    assert (recipe.recipe, by_hand.recipe) == (name, "report")
    assert configuration(recipe, "").digest == configuration(by_hand, "").digest
    assert Train.from_text(recipe.as_text()) == recipe
    assert command("train", recipe).endswith("local" if name == "report" else f" -P recipe={name}")


def test_given_options_override_the_recipe_even_with_its_defaults() -> None:
    arguments = ["--recipe", "lenet5-60", "--epochs=10", "--ema", "0.5", "--translate", "0"]
    options = parse(Train, arguments, "train")
    muon = {"optimizer": "muon", "weight_decay": 0.1}
    assert options.techniques == STRONG | muon | {"translate": 0, "ema": 0.5}
    assert (options.epochs, options.batch_size, options.keep) == (10, 128, "last")
    assert command("train", options).endswith(
        "-P epochs=10 -P recipe=lenet5-60 -P translate=0 -P ema=0.5"
    )


def test_mlproject_passes_no_option_that_a_recipe_sets() -> None:
    """Otherwise defaults could not be distinguished from given options."""
    train = yaml.safe_load(mlproject())["entry_points"]["train"]
    set_by_recipes = {name for recipe in RECIPES.values() for name in recipe.options}
    assert set_by_recipes.isdisjoint(train["parameters"])
    assert "recipe" in train["parameters"]
    assert not any(f"--{name} " in train["command"] for name in set_by_recipes)


def test_recipes_are_documented(capsys) -> None:
    assert main(["options"]) == 0
    printed = capsys.readouterr().out
    for name in NAMED:
        [line] = [line for line in printed.splitlines() if line.startswith(f"| `{name}` ")]
        assert RECIPES[name].accuracy in line
        assert RECIPES[name].cost in line
    documentation = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
    for name, value in REPORT.items():
        assert f"| `{name}` | {value} | {STRONG[name]} |" in documentation


@pytest.mark.parametrize("name", STRONG)
def test_each_technique_is_in_the_digest(name: str) -> None:
    by_hand = Train(**STRONG)
    assert by_hand.fingerprint_fields() == Train(recipe="strong").fingerprint_fields()
    without = Train(**STRONG | {name: OTHER[name]})
    assert configuration(without, "").digest != configuration(by_hand, "").digest


def test_recipes_skip_options_that_do_not_apply() -> None:
    backbone = Train(recipe="strong", model="vgg16")
    assert backbone.techniques == STRONG | {name: REPORT[name] for name in OF_IMAGES}
    assert command("train", backbone).endswith("-P recipe=strong -P model=vgg16")
    assert Train(recipe="strong", optimizer="adam").weight_decay == 0
    assert Train(recipe="vgg16-frozen", model="lenet5").weights == "imagenet"
    adam = Tune(recipe="strong").with_chosen({"optimizer": "adam"})
    assert (adam.optimizer, adam.weight_decay, adam.ema) == ("adam", 0, STRONG["ema"])
