"""A recipe fills what is left to it, a given value wins, and the digest sees what is done."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fmnist.cli import parse
from fmnist.errors import BadInput
from fmnist.options import Crossval, Train, configuration_digest
from fmnist.options.recipe import OF_IMAGES, RECIPES, REPORT, RecipeOptions, Techniques

STRONG = RECIPES["strong"]


def test_every_technique_has_an_option_of_its_name() -> None:
    options = RecipeOptions.model_fields.keys()
    assert list(options) == ["recipe", *asdict(REPORT)]


def test_the_report_uses_none() -> None:
    assert Train().techniques == Crossval().techniques == REPORT == RECIPES["report"]
    assert (REPORT.optimizer, REPORT.schedule, REPORT.normalize) == ("adam", "constant", "off")
    assert not any(v for v in asdict(REPORT).values() if not isinstance(v, str))


def test_the_strong_recipe_is_frozen() -> None:
    assert Train(recipe="strong").techniques == STRONG != REPORT


def test_a_given_value_wins_even_where_it_is_the_reports() -> None:
    """As `mlflow run` passes it: every option, given or not, as text."""
    given = Train().as_text() | {"recipe": "strong", "flip": "off", "translate": "0", "ema": "0.5"}
    flags = [word for name, text in given.items() for word in (f"--{name}", text)]
    options = parse(Train, flags, "train")
    assert options.techniques == replace(STRONG, flip="off", translate=0, ema=0.5)


def test_the_documentation_has_the_recipes() -> None:
    documentation = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text()
    for name, value in asdict(REPORT).items():
        assert f"| `{name}` | {value} | {getattr(STRONG, name)} |" in documentation


@pytest.mark.parametrize("name", asdict(STRONG))
def test_each_is_switchable_alone(name: str) -> None:
    """The strong recipe put together by hand is the strong recipe, and each of it counts."""
    by_hand = Train(**asdict(STRONG))
    assert by_hand.fingerprint_fields() == Train(recipe="strong").fingerprint_fields()
    without = Train(**(asdict(STRONG) | {name: other_than(name)}))
    assert configuration_digest(without, "") != configuration_digest(by_hand, "")


def other_than(name: str) -> object:
    others = Techniques("off", "off", 0, 0.5, 0.5, "sgd", 0.5, "onecycle", 0.5, 0.5, 0.5, 5)
    return getattr(others, name)


def test_what_was_stored_before_there_were_techniques_is_the_report() -> None:
    old = {"epochs": "10", "model": "lenet5", "learning_rate": "0.001"}
    assert Train.from_text(old).fingerprint_fields() == Train().fingerprint_fields()


def test_a_recipe_leaves_to_a_network_what_it_has_for_others() -> None:
    backbone = Train(recipe="strong", model="vgg16").techniques
    off = {name: getattr(REPORT, name) for name in OF_IMAGES}
    assert backbone == replace(STRONG, **off)
    assert Train(recipe="strong", optimizer="adam").techniques.weight_decay == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"translate": 5},
            "translate=5: input should be 'recipe' or input should be less than or equal",
        ),
        (
            {"random_erasing": "much"},
            "random_erasing=much: input should be 'recipe' or input should be a valid num",
        ),
        ({"schedule": "steps"}, "schedule=steps: input should be 'recipe' or .*'constant'"),
        ({"recipe": "weak"}, "recipe=weak: input should be 'report' or 'strong'"),
        ({"weight_decay": 0.1}, "weight_decay=0.1 asks optimizer=adam for what adamw does"),
        ({"model": "vgg16", "flip": "on"}, "flip=on changes images, but the head of vgg16"),
        (
            {"patience": 3, "keep": "last", "validation_fraction": 0},
            "patience=3 waits for a better validation loss, but validation_fraction=0",
        ),
    ],
)
def test_what_cannot_be_is_told(given: dict, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Train(**given)
