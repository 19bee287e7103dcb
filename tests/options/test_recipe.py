"""Recipes set the techniques that are not given."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fmnist.cli import parse
from fmnist.options import Crossval, Train, configuration_digest
from fmnist.options.recipe import OF_IMAGES, RECIPES, REPORT, Recipe, RecipeOptions

STRONG = RECIPES["strong"]
OTHER = Recipe("off", "off", 0, 0.5, 0.5, "sgd", 0.5, "onecycle", 0.5, 0.5, 0.5, 5)


def test_every_technique_is_an_option() -> None:
    assert list(RecipeOptions.model_fields) == ["recipe", *asdict(REPORT)]


def test_the_reference_report_uses_no_technique() -> None:
    assert Train().techniques == Crossval().techniques == REPORT == RECIPES["report"]
    assert (REPORT.optimizer, REPORT.schedule, REPORT.normalize) == ("adam", "constant", "off")
    assert not any(v for v in asdict(REPORT).values() if not isinstance(v, str))
    logged_before_techniques = {"epochs": "10", "model": "lenet5", "learning_rate": "0.001"}
    options = Train.from_text(logged_before_techniques)
    assert options.fingerprint_fields() == Train().fingerprint_fields()


def test_given_values_override_the_recipe_even_with_its_defaults() -> None:
    assert Train(recipe="strong").techniques == STRONG != REPORT
    given = {"recipe": "strong", "flip": "off", "translate": "0", "ema": "0.5"}
    values = Train().as_text() | given  # as `mlflow run` passes every parameter
    arguments = [word for name, text in values.items() for word in (f"--{name}", text)]
    options = parse(Train, arguments, "train")
    assert options.techniques == replace(STRONG, flip="off", translate=0, ema=0.5)


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


def test_recipes_skip_techniques_that_do_not_apply() -> None:
    backbone = Train(recipe="strong", model="vgg16").techniques
    assert backbone == replace(STRONG, **{name: getattr(REPORT, name) for name in OF_IMAGES})
    assert Train(recipe="strong", optimizer="adam").techniques.weight_decay == 0
