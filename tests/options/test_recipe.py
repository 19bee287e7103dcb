"""Recipes set the options that are not given."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from fmnist.__main__ import main
from fmnist.cli import parse
from fmnist.options import Crossval, Train, Tune, configuration_digest
from fmnist.options.mlproject import command, mlproject
from fmnist.options.recipe import (
    OF_IMAGES,
    RECIPES,
    REPORT,
    RecipeOptions,
    Techniques,
)

STRONG = Techniques(**RECIPES["strong"].options)
OTHER = Techniques("off", "off", 0, 0.5, 0.5, "sgd", 0.5, "onecycle", 0.5, 0.5, 0.5, 5)
NAMED = [name for name, recipe in RECIPES.items() if recipe.accuracy]


def test_every_technique_is_an_option() -> None:
    assert list(RecipeOptions.model_fields) == ["run_name", "recipe", *asdict(REPORT)]


def test_the_reference_report_uses_no_technique() -> None:
    assert Train().techniques == Crossval().techniques == REPORT
    assert (REPORT.optimizer, REPORT.schedule, REPORT.normalize) == ("adam", "constant", "off")
    assert not any(v for v in asdict(REPORT).values() if not isinstance(v, str))
    logged_before_techniques = {"epochs": "10", "model": "lenet5", "learning_rate": "0.001"}
    options = Train.from_text(logged_before_techniques)
    assert options.fingerprint_fields() == Train().fingerprint_fields()


def test_parameters_logged_before_version_2_are_understood() -> None:
    logged = {"recipe": "strong", "flip": "off", "ema": "recipe", "translate": "recipe"}
    assert Train.from_text(logged) == Train(recipe="strong", flip="off")


@pytest.mark.parametrize("name", NAMED)
def test_a_recipe_alone_is_the_same_configuration_as_its_options(name: str) -> None:
    recipe = parse(Train, ["--recipe", name], "train")
    arguments = [f"--{option}={value}" for option, value in RECIPES[name].options.items()]
    by_hand = parse(Train, arguments, "train")
    assert (recipe.recipe, by_hand.recipe) == (name, "report")
    assert configuration_digest(recipe, "") == configuration_digest(by_hand, "")
    assert Train.from_text(recipe.as_text()) == recipe
    assert command("train", recipe).endswith("local" if name == "report" else f" -P recipe={name}")


def test_given_options_override_the_recipe_even_with_its_defaults() -> None:
    arguments = ["--recipe", "lenet5-60", "--epochs=10", "--ema", "0.5", "--translate", "0"]
    options = parse(Train, arguments, "train")
    assert options.techniques == replace(STRONG, translate=0, ema=0.5)
    assert (options.epochs, options.batch_size, options.keep) == (10, 64, "last")
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


def test_options_command_lists_recipes_with_accuracy_and_cost(capsys) -> None:
    assert main(["options"]) == 0
    printed = capsys.readouterr().out
    for name in NAMED:
        recipe = RECIPES[name]
        [line] = [line for line in printed.splitlines() if line.startswith(f"| `{name}` ")]
        assert recipe.accuracy in line
        assert recipe.cost in line


def test_recipes_are_documented() -> None:
    documentation = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
    for name, value in asdict(REPORT).items():
        assert f"| `{name}` | {value} | {getattr(STRONG, name)} |" in documentation


@pytest.mark.parametrize("name", asdict(STRONG))
def test_each_technique_is_in_the_digest(name: str) -> None:
    by_hand = Train(**asdict(STRONG))
    assert by_hand.fingerprint_fields() == Train(recipe="strong").fingerprint_fields()
    without = Train(**(asdict(STRONG) | {name: getattr(OTHER, name)}))
    assert configuration_digest(without, "") != configuration_digest(by_hand, "")


def test_recipes_skip_options_that_do_not_apply() -> None:
    backbone = Train(recipe="strong", model="vgg16")
    off = {name: getattr(REPORT, name) for name in OF_IMAGES}
    assert backbone.techniques == replace(STRONG, **off)
    assert command("train", backbone).endswith("-P recipe=strong -P model=vgg16")
    assert Train(recipe="strong", optimizer="adam").techniques.weight_decay == 0
    assert Train(recipe="vgg16-frozen", model="lenet5").weights == "imagenet"
    adam = Tune(recipe="strong").with_chosen({"optimizer": "adam"})
    assert (adam.optimizer, adam.weight_decay, adam.ema) == ("adam", 0, STRONG.ema)
