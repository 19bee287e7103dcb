"""The options that entry points which train a network share."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import RUNTIME_ONLY, CacheOptions
from fmnist.options.recipe import OF_IMAGES, RecipeOptions
from fmnist.options.shared import Epochs, TrainSize

# Networks of our own, trained in full; every other model is a frozen backbone with a head.
FROM_SCRATCH: Final = ("lenet5", "convnet")

_OF_BACKBONES: Final = (
    "weights",
    "input_size",
    "input_scaling",
    "feature_layers",
    "unfreeze_blocks",
)


class DataOptions(CacheOptions):
    """Options of work on the data."""

    data_dir: str = Field(
        "auto",
        description="folder with the four idx files, or auto: $FMNIST_DATA_DIR, the system's "
        "dataset folder, the cache, a download",
        json_schema_extra=RUNTIME_ONLY,  # the digest of the data itself counts instead
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="all randomness of the run")


class FitOptions(DataOptions):
    """Options of every fit: which rows, for how long, in which steps."""

    train_size: TrainSize = 0
    epochs: Epochs = 10
    batch_size: int = Field(128, ge=2, le=65_536, description="training rows per step")
    learning_rate: float = Field(0.001, gt=0, le=10, description="step size of the optimizer")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="share of units dropped after each hidden dense layer"
    )
    validation_fraction: float = Field(
        0.1, ge=0, le=0.9, description="share of the training rows held out to choose by"
    )
    drop_duplicates: Literal["off", "on"] = Field(
        "off",
        description="leave out training rows that repeat another or (nearly) show a test image",
    )
    keep: Literal["best", "last"] = Field(
        "best",
        description="weights that are evaluated and logged: of the epoch with the lowest "
        "validation loss, or of the last",
    )

    @model_validator(mode="after")
    def _best_needs_validation_rows(self) -> Self:
        if self.keep == "best" and self.validation_fraction == 0:
            raise BadInput(
                "keep=best chooses by validation loss, but validation_fraction=0 leaves no "
                "validation rows; use keep=last or a larger fraction"
            )
        return self


class ModelOptions(RecipeOptions, FitOptions):
    """Options that choose what is fitted, and with which techniques."""

    model: Literal[
        "lenet5",
        "convnet",
        "vgg16",
        "vgg19",
        "resnet50",
        "resnet50v2",
        "mobilenetv2",
        "efficientnetb0",
        "densenet121",
    ] = Field(
        "lenet5",
        description="which network: lenet5 and convnet are trained in full, the others are frozen "
        "backbones with a small head",
    )
    weights: str = Field(
        "imagenet",
        min_length=1,
        description="of a backbone: imagenet, hed-bsds500 (vgg16 only), none (random) or a "
        ".weights.h5, .h5 or .keras file",
    )
    input_size: int = Field(
        32, ge=1, le=224, description="side in pixels to which a backbone's images are resized"
    )
    input_scaling: Literal["imagenet", "unit"] = Field(
        "imagenet",
        description="range of a backbone's pixels: as for its ImageNet weights, or 0..1",
    )
    feature_layers: Literal["last", "multi"] = Field(
        "last",
        description="what a backbone's head sees: its last block flattened, or the means of all "
        "its blocks",
    )
    unfreeze_blocks: int = Field(
        0,
        ge=0,
        le=5,
        description="last blocks of a backbone to train on once the head is trained, for as many "
        "epochs again at a hundredth of the learning rate",
    )

    teacher: str = Field(
        "none",
        pattern=r"^(none|[0-9a-f]{32}|models:/[^\s\"']+)$",
        description="whose answers on the training rows are learned besides the labels: the id of "
        "a run of crossval (answers on rows not seen) or train, models:/NAME@ALIAS, or none",
    )
    distillation_weight: float = Field(
        0.5, ge=0, le=1, description="how much of what is learned is the teacher's"
    )

    @model_validator(mode="after")
    def _a_share_needs_a_teacher(self) -> Self:
        default = type(self).model_fields["distillation_weight"].default
        if self.teacher == "none" and self.distillation_weight != default:
            raise BadInput(
                f"distillation_weight={self.distillation_weight} needs a teacher; leave it "
                f"out (default {default}) or name a teacher"
            )
        return self

    @model_validator(mode="after")
    def _backbone_options_need_a_backbone(self) -> Self:
        if self.model in FROM_SCRATCH:
            for name in _OF_BACKBONES:
                default = type(self).model_fields[name].default
                if (value := getattr(self, name)) != default:
                    raise BadInput(
                        f"{name}={value} is for backbones and says nothing of model={self.model}; "
                        f"leave it out (default {default}) or name another model"
                    )
        return self

    @model_validator(mode="after")
    def _patience_needs_validation_rows(self) -> Self:
        if self.techniques.patience and self.validation_fraction == 0:
            raise BadInput(
                f"patience={self.techniques.patience} waits for a better validation loss, but "
                "validation_fraction=0 leaves no validation rows; use patience=0 or a larger "
                "fraction"
            )
        return self

    def _meaningless(self) -> dict[str, str]:
        if self.model in FROM_SCRATCH:
            return super()._meaningless()
        reason = f"changes images, but the head of {self.model} is fitted to features of them"
        return super()._meaningless() | dict.fromkeys(OF_IMAGES, reason)
