"""Training techniques: single options, and recipes that set several of them.

The default of each technique is `recipe`. `mlflow run` passes every declared parameter, so only a
separate value can distinguish "not given" from a value that happens to be the default.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import Options

RecipeName = Literal["report", "strong"]
Switch = Literal["off", "on"]
Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine", "onecycle"]
AsRecipe = Literal["recipe"]
Fraction = Annotated[float, Field(ge=0, le=1)]

REPORT_RECIPE: Final = "report"
AS_RECIPE: Final = "recipe"


@dataclass(frozen=True)
class Recipe:
    """Techniques used in training. The defaults are those of the reference report: none.

    Args:
        normalize: standardize pixels to mean 0 and standard deviation 1 (LeCun, Bottou, Orr and
            Müller, "Efficient BackProp", 1998, section 4.3).
        flip: mirror half of the images horizontally.
        translate: shift each image by up to this many pixels along both axes (both as in
            Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
            neural networks", 2012, section 4.1).
        random_erasing: fraction of the images in which a rectangle is erased (Zhong, Zheng, Kang,
            Li and Yang, "Random erasing data augmentation", 2017).
        mixup: alpha of the Beta distribution that weights the two mixed images, 0 for no mixup
            (Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization",
            2018).
        optimizer: `adam` (Kingma and Ba, "Adam: a method for stochastic optimization", 2015),
            `adamw` (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019) or `sgd`
            with Nesterov momentum 0.9 (Sutskever, Martens, Dahl and Hinton, "On the importance of
            initialization and momentum in deep learning", 2013).
        weight_decay: decoupled weight decay per step, multiplied by the learning rate.
        schedule: learning rate schedule: `constant`, `cosine` (Loshchilov and Hutter, "SGDR:
            stochastic gradient descent with warm restarts", 2017) or `onecycle`, which decreases
            linearly (Smith and Topin, "Super-convergence", 2018; without the momentum cycle).
        warmup: fraction of the steps in which the learning rate first increases from 0 (Goyal et
            al., "Accurate, large minibatch SGD", 2017).
        label_smoothing: label smoothing (Szegedy et al., "Rethinking the Inception architecture
            for computer vision", 2016, section 7).
        ema: decay of the exponential moving average of the weights, which is validated and kept; 0
            for none (Polyak and Juditsky, "Acceleration of stochastic approximation by averaging",
            1992; in this form Tarvainen and Valpola, "Mean teachers are better role models", 2017).
        patience: epochs without a lower validation loss before early stopping, 0 for none
            (Prechelt, "Early stopping - but when?", 1998).
    """

    normalize: Switch = "off"
    flip: Switch = "off"
    translate: int = 0
    random_erasing: float = 0.0
    mixup: float = 0.0
    optimizer: Optimizer = "adam"
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    warmup: float = 0.0
    label_smoothing: float = 0.0
    ema: float = 0.0
    patience: int = 0


REPORT: Final = Recipe()
RECIPES: Final[Mapping[RecipeName, Recipe]] = {
    "report": REPORT,
    "strong": Recipe(
        normalize="on",
        flip="on",
        translate=1,
        optimizer="adamw",
        weight_decay=0.02,
        schedule="cosine",
        warmup=0.1,
        ema=0.999,
    ),
}

# Techniques that change images. The head of a frozen backbone is trained on cached features.
OF_IMAGES: Final = ("normalize", "flip", "translate", "random_erasing")


def _technique(description: str) -> Any:
    return Field(AS_RECIPE, description=description)


class RecipeOptions(Options):
    """One option per technique, and the recipe that sets those that are not given."""

    recipe: RecipeName = Field(
        "report",
        description="default techniques: report uses none, strong is described in docs/recipes.md",
    )
    normalize: AsRecipe | Switch = _technique("standardize pixels to mean 0, standard deviation 1")
    flip: AsRecipe | Switch = _technique("mirror half of the training images horizontally")
    translate: AsRecipe | Annotated[int, Field(ge=0, le=4)] = _technique(
        "shift training images by up to this many pixels"
    )
    random_erasing: AsRecipe | Fraction = _technique(
        "fraction of the training images in which a rectangle is erased"
    )
    mixup: AsRecipe | Fraction = _technique("mixup alpha; 0 = no mixup")
    optimizer: AsRecipe | Optimizer = _technique("optimizer; sgd uses Nesterov momentum 0.9")
    weight_decay: AsRecipe | Fraction = _technique("decoupled weight decay of adamw and sgd")
    schedule: AsRecipe | Schedule = _technique("learning rate schedule")
    warmup: AsRecipe | Fraction = _technique("fraction of the steps used for learning rate warmup")
    label_smoothing: AsRecipe | Annotated[float, Field(ge=0, lt=1)] = _technique("label smoothing")
    ema: AsRecipe | Annotated[float, Field(ge=0, lt=1)] = _technique(
        "decay of the moving average of the weights; 0 = none"
    )
    patience: AsRecipe | Annotated[int, Field(ge=0, le=10_000)] = _technique(
        "early stopping after this many epochs without a lower validation loss; 0 = never"
    )

    @property
    def techniques(self) -> Recipe:
        """The techniques in use: options that were given, the others from the recipe."""
        disabled = {name: getattr(REPORT, name) for name in self._inapplicable()}
        return replace(RECIPES[self.recipe], **disabled | self._given)

    def fingerprint_fields(self) -> dict[str, str]:
        """Return the options that affect the result, as text; techniques have their final value."""
        techniques = {name: str(value) for name, value in asdict(self.techniques).items()}
        return super().fingerprint_fields() | techniques

    @model_validator(mode="after")
    def _reject_inapplicable(self) -> Self:
        for name, reason in self._inapplicable().items():
            value, off = self._given.get(name), getattr(REPORT, name)
            if value not in (None, off):
                raise BadInput(f"{name}={value} {reason}; leave it out or use {name}={off}")
        return self

    def _inapplicable(self) -> dict[str, str]:
        """Return the techniques that cannot be used with the other options, and why."""
        optimizer = self._given.get("optimizer", RECIPES[self.recipe].optimizer)
        if optimizer == "adam":
            return {"weight_decay": "requires optimizer=adamw or sgd, got adam"}
        return {}

    @property
    def _given(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in asdict(REPORT)}
        return {name: value for name, value in values.items() if value != AS_RECIPE}
