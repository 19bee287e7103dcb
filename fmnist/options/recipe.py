"""How a network is trained beyond the report's settings: techniques, one by one or as a recipe.

Each option of a technique is `recipe` unless a user says otherwise, because `mlflow run` passes
every option, given or not: only a value of its own can tell "as the recipe has it" from the
recipe's value asked for.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import RUNTIME_ONLY, Options

Recipe = Literal["report", "strong"]
Switch = Literal["off", "on"]
Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine", "onecycle"]

REPORT_RECIPE: Final = "report"
AS_RECIPE: Final = "recipe"
AsRecipe = Literal["recipe"]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Techniques:
    """What a fit does beyond plain Adam on plain images; as it stands, nothing: the report's way.

    Args:
        normalize: pixels to mean 0 and deviation 1, in the graph (LeCun, Bottou, Orr and Müller,
            "Efficient BackProp", 1998, section 4.3).
        flip: mirror half of the images left to right.
        translate: move each image by up to so many pixels along both axes (both as in Krizhevsky,
            Sutskever and Hinton, "ImageNet classification with deep convolutional neural
            networks", 2012, section 4.1).
        random_erasing: share of the images of which a rectangle is erased (Zhong, Zheng, Kang, Li
            and Yang, "Random erasing data augmentation", 2017).
        mixup: alpha of the Beta distribution by which two images and their labels are mixed; 0 for
            none (Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: beyond empirical risk minimization",
            2018).
        optimizer: `adam` (Kingma and Ba, "Adam: a method for stochastic optimization", 2015),
            `adamw` (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019) or `sgd`
            with Nesterov's momentum 0.9 (Sutskever, Martens, Dahl and Hinton, "On the importance
            of initialization and momentum in deep learning", 2013).
        weight_decay: share of each weight, times the learning rate, that a step takes away.
        schedule: how the learning rate falls: `constant`, `cosine` (Loshchilov and Hutter, "SGDR:
            stochastic gradient descent with warm restarts", 2017) or `onecycle`, in a straight
            line (Smith and Topin, "Super-convergence", 2018; its opposite cycle of the momentum is
            left out).
        warmup: share of all steps in which it rises from 0 first (Goyal et al., "Accurate, large
            minibatch SGD", 2017).
        label_smoothing: share of a label that is spread over all classes (Szegedy et al.,
            "Rethinking the Inception architecture for computer vision", 2016, section 7).
        ema: decay of a running mean of the weights, which is what is validated and kept; 0 for
            none (Polyak and Juditsky, "Acceleration of stochastic approximation by averaging",
            1992; in this form Tarvainen and Valpola, "Mean teachers are better role models", 2017).
        patience: epochs without a better validation loss after which the fit ends; 0 for never
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


REPORT: Final = Techniques()
RECIPES: Final[Mapping[Recipe, Techniques]] = {
    "report": REPORT,
    "strong": Techniques(
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

# What works on images cannot reach a head that is fitted to features.
OF_IMAGES: Final = ("normalize", "flip", "translate", "random_erasing")


def _as_recipe(description: str) -> Any:
    return Field(AS_RECIPE, description=description)


class RecipeOptions(Options):
    """Options of techniques; `techniques` says what they come to."""

    recipe: Recipe = Field(
        "report",
        description="techniques where their own options leave it to the recipe: report has none, "
        "strong a frozen set (docs/recipes.md)",
        json_schema_extra=RUNTIME_ONLY,  # what it comes to counts instead
    )
    normalize: AsRecipe | Switch = _as_recipe("pixels to mean 0 and deviation 1")
    flip: AsRecipe | Switch = _as_recipe("mirror half of the images left to right while training")
    translate: AsRecipe | Annotated[int, Field(ge=0, le=4)] = _as_recipe(
        "move images by up to so many pixels along both axes while training"
    )
    random_erasing: AsRecipe | Share = _as_recipe(
        "share of the images of which a rectangle is wiped out while training"
    )
    mixup: AsRecipe | Share = _as_recipe("alpha of mixing two images and their labels; 0 = none")
    optimizer: AsRecipe | Optimizer = _as_recipe(
        "what steps are made of the gradient; sgd has Nesterov's momentum 0.9"
    )
    weight_decay: AsRecipe | Share = _as_recipe(
        "of adamw and sgd: share of each weight, times the learning rate, that a step takes away"
    )
    schedule: AsRecipe | Schedule = _as_recipe(
        "how learning_rate falls to 0: not at all, as a half cosine or in a straight line"
    )
    warmup: AsRecipe | Share = _as_recipe("share of all steps in which learning_rate rises first")
    label_smoothing: AsRecipe | Annotated[float, Field(ge=0, lt=1)] = _as_recipe(
        "share of a label that is spread over all classes while training"
    )
    ema: AsRecipe | Annotated[float, Field(ge=0, lt=1)] = _as_recipe(
        "decay of the running mean of the weights, which is validated and kept; 0 = none"
    )
    patience: AsRecipe | Annotated[int, Field(ge=0, le=10_000)] = _as_recipe(
        "epochs without a better validation loss after which training ends; 0 = never"
    )

    @property
    def techniques(self) -> Techniques:
        """What is done: each option's own value, else the recipe's where it means something."""
        meaningless = {name: getattr(REPORT, name) for name in self._meaningless()}
        return replace(RECIPES[self.recipe], **meaningless | self._given)

    def fingerprint_fields(self) -> dict[str, str]:
        """The options that another result would follow from, techniques as what they come to."""
        done = {name: str(value) for name, value in asdict(self.techniques).items()}
        return super().fingerprint_fields() | done

    @model_validator(mode="after")
    def _nothing_without_meaning(self) -> Self:
        for name, reason in self._meaningless().items():
            value, off = self._given.get(name), getattr(REPORT, name)
            if value not in (None, off):
                raise BadInput(f"{name}={value} {reason}; leave it out, or give {name}={off}")
        return self

    def _meaningless(self) -> dict[str, str]:
        """Techniques that cannot work beside the other options, and why."""
        optimizer = self._given.get("optimizer", RECIPES[self.recipe].optimizer)
        if optimizer == "adam":
            return {"weight_decay": "asks optimizer=adam for what adamw does"}
        return {}

    @property
    def _given(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in asdict(REPORT)}
        return {name: value for name, value in values.items() if value != AS_RECIPE}
