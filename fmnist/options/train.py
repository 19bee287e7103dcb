"""Options of `train`, and those it shares with `crossval` and `tune`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import MODEL_NAME, TEACHER, Names, Resume, TrainingOptions
from fmnist.options.recipe import OF_IMAGES, RecipeOptions

ModelName = Literal[
    "lenet5", "convnet", "vgg16", "vgg19", "resnet50", "resnet50v2", "mobilenetv2",
    "efficientnetb0", "densenet121",
]  # fmt: skip
# Networks that are trained completely; the other models are frozen backbones with a new head.
FROM_SCRATCH: Final = ("lenet5", "convnet")

_BACKBONE_OPTIONS: Final = (
    "weights", "input_size", "input_scaling", "feature_layers", "unfreeze_blocks",
)  # fmt: skip


class FitOptions(TrainingOptions):
    """Options of every fit."""

    batch_size: int = Field(128, ge=2, le=65_536)
    """training rows per step"""
    learning_rate: float = Field(0.001, gt=0, le=10)
    """learning rate"""
    dropout: float = Field(0.0, ge=0, lt=1)
    """dropout rate after each hidden dense layer"""
    validation_fraction: float = Field(0.1, ge=0, le=0.9)
    """fraction of the training data used for validation"""
    drop_duplicates: Literal["off", "on"] = "off"
    """drop training rows that duplicate another row or (nearly) a test image"""
    class_weight: Literal["none", "balanced"] = "none"
    """weight of a class in the training loss: none (equal), or balanced (inversely proportional to
    its number of fitted rows)"""
    keep: Literal["best", "last"] = "best"
    """weights to evaluate and log: best (lowest validation loss) or last"""

    @model_validator(mode="after")
    def _require_validation_rows_for_best(self) -> Self:
        if self.keep == "best" and self.validation_fraction == 0:
            raise BadInput(
                "keep=best selects by validation loss, but validation_fraction=0 leaves no "
                "validation rows; use keep=last or a larger fraction"
            )
        return self


class ModelOptions(RecipeOptions, FitOptions):
    """Options of the model and its training."""

    code: ClassVar[Names] = (
        "data", "models", "training", "evaluation/metrics.py", "results/training.py",
    )  # fmt: skip
    libraries: ClassVar[Names] = ("keras", "numpy", "scikit-image", "tensorflow")

    model: ModelName = "lenet5"
    """network: lenet5 and convnet are trained completely, the others are frozen backbones with a
    small head"""
    weights: str = Field("imagenet", min_length=1)
    """backbone weights: imagenet, hed-bsds500 (vgg16 only), none (random, from split_seed), or a
    .weights.h5, .h5 or .keras file"""
    input_size: int = Field(32, ge=32, le=224)
    """image size in pixels for backbones (images are resized)"""
    input_scaling: Literal["imagenet", "unit"] = "imagenet"
    """pixel scaling for backbones: as for ImageNet, or to 0..1"""
    feature_layers: Literal["last", "multi", "grid"] = "last"
    """backbone features: last block flattened; multi, the means of all blocks; or grid, the means
    of the four quarters of all blocks"""
    unfreeze_blocks: int = Field(0, ge=0, le=5)
    """number of last backbone blocks to fine-tune after the head, for as many epochs again at 1/100
    of the learning rate"""
    teacher: str = Field("none", pattern=TEACHER)
    """teacher for distillation: a crossval run id (out-of-fold predictions), a train run id,
    models:/NAME@ALIAS, or none"""
    distillation_weight: float = Field(0.5, ge=0, le=1)
    """weight of the teacher's predictions in the targets"""

    @model_validator(mode="after")
    def _require_validation_rows_for_patience(self) -> Self:
        if self.patience and self.validation_fraction == 0:
            raise BadInput(
                f"patience={self.patience} requires a validation loss, but "
                "validation_fraction=0 leaves no validation rows; use patience=0 or a larger "
                "fraction"
            )
        return self

    @classmethod
    def _inapplicable(cls, values: Mapping[str, Any]) -> dict[str, str]:
        reasons = super()._inapplicable(values)
        model = values.get("model", "lenet5")
        if model in FROM_SCRATCH:
            reason = f"is an option of backbones, not of model={model}"
            reasons |= dict.fromkeys(_BACKBONE_OPTIONS, reason)
        else:
            reason = f"changes images, but the head of {model} is trained on their features"
            reasons |= dict.fromkeys(OF_IMAGES, reason)
        if values.get("teacher", "none") == "none":
            reasons["distillation_weight"] = "requires a teacher"
        return reasons


class Train(ModelOptions):
    """Train one model, evaluate it on the test set, and log it."""

    tta_flip: Literal["off", "on"] = "off"
    """also log tta/test_accuracy: predictions averaged over image and mirror image"""
    register_as: str = Field("none", pattern=MODEL_NAME)
    """registered model name; none: do not register the model"""
    checkpoints: Literal["on", "off"] = "on"
    """write a checkpoint after every epoch, to resume an interrupted run"""
    resume: Resume = "auto"

    @model_validator(mode="after")
    def _require_checkpoints_for_resume(self) -> Self:
        if self.checkpoints == "off" and self.resume not in ("auto", "off"):
            raise BadInput(
                f"resume={self.resume} requires checkpoints, got checkpoints=off; leave one out"
            )
        return self


def model_title(model: str, weights: str) -> str:
    """Format the name of a model for plots and tables, with its weights if not from ImageNet.

    Args:
        weights: value of the option for a backbone, "" for other networks.
    """
    if weights in ("", "imagenet"):
        return model
    return f"{model} ({'random' if weights == 'none' else Path(weights).name} weights)"
