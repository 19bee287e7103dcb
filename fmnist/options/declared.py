"""The options of every entry point: one frozen model each, with type, range, default and help."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import NO_EFFECT, Options

_OF_BACKBONES: Final = (
    "weights",
    "input_size",
    "input_scaling",
    "feature_layers",
    "unfreeze_blocks",
)


class _DataOptions(Options):
    data_dir: str = Field(
        "auto",
        description="folder with the four idx files, or auto: $FMNIST_DATA_DIR, the system's "
        "dataset folder, the cache, a download",
        json_schema_extra=NO_EFFECT,  # the digest of the data itself counts instead
    )
    cache_dir: str = Field(
        "auto",
        description="where data and features are cached; auto: the user's cache folder",
        json_schema_extra=NO_EFFECT,
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="all randomness of the run")


class _FitOptions(_DataOptions):
    train_size: int = Field(
        0, ge=0, description="use only this many training rows, stratified; 0 = all"
    )
    epochs: int = Field(10, ge=1, le=10_000, description="passes over the training rows")
    batch_size: int = Field(128, ge=2, le=65_536, description="training rows per step")
    learning_rate: float = Field(0.001, gt=0, le=10, description="step size of the optimiser")
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


class _ModelOptions(_FitOptions):
    model: Literal[
        "lenet5",
        "vgg16",
        "vgg19",
        "resnet50",
        "resnet50v2",
        "mobilenetv2",
        "efficientnetb0",
        "densenet121",
    ] = Field(
        "lenet5",
        description="which network: lenet5 is trained in full, the others are frozen backbones "
        "with a small head",
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

    @model_validator(mode="after")
    def _backbone_options_need_a_backbone(self) -> Self:
        if self.model == "lenet5":
            for name in _OF_BACKBONES:
                default = type(self).model_fields[name].default
                if (value := getattr(self, name)) != default:
                    raise BadInput(
                        f"{name}={value} is for backbones and says nothing of model=lenet5; "
                        f"leave it out (default {default}) or name another model"
                    )
        return self


class Train(_ModelOptions):
    """Train one model, evaluate it once on the test rows, and log all of it."""

    register_as: str = Field(
        "none",
        pattern=r"^[^/:.%\s\"']+$",
        description="registered model name to log the model under; none: do not register",
        json_schema_extra=NO_EFFECT,
    )


class Crossval(_ModelOptions):
    """Train one model a fold, score each on the rows it has not seen, and log all of it."""

    folds: int = Field(
        5, ge=2, le=1000, description="parts the training rows are divided into, stratified"
    )
    repeats: int = Field(1, ge=1, le=100, description="how often to divide them anew")
    workers: int = Field(
        0,
        ge=0,
        le=1024,
        description="processes that train folds side by side; 0 = one per core",
        json_schema_extra=NO_EFFECT,
    )
    backend: Literal["loky", "ray", "dask"] = Field(
        "loky",
        description="where folds are trained: loky on this machine, ray or dask on a cluster",
        json_schema_extra=NO_EFFECT,
    )
    cluster_address: str = Field(
        "none",
        min_length=1,
        description="HOST:PORT of the existing Ray or Dask cluster",
        json_schema_extra=NO_EFFECT,
    )
    resume: str = Field(
        "auto",
        pattern=r"^(auto|off|[0-9a-f]{32})$",
        description="auto: complete the newest unfinished run of the same configuration; off: "
        "begin anew; or the id of the run to complete",
        json_schema_extra=NO_EFFECT,
    )
    if_done: Literal["rerun", "skip"] = Field(
        "rerun",
        description="skip: end at once when the same configuration has FINISHED on this store "
        "within done_within_hours",
        json_schema_extra=NO_EFFECT,
    )
    done_within_hours: float = Field(
        0.0,
        ge=0,
        description="how long a finished run counts for if_done=skip; 0 = for ever",
        json_schema_extra=NO_EFFECT,
    )
    timeout_minutes: float = Field(
        0.0,
        ge=0,
        le=100_000,
        description="end the run as KILLED after this time, folds kept for a resume; 0 = never",
        json_schema_extra=NO_EFFECT,
    )
    alarm_runs: int = Field(
        10,
        ge=0,
        le=1000,
        description="drift alarm: how many earlier runs of the same configuration to compare with; "
        "0 = no alarm",
        json_schema_extra=NO_EFFECT,
    )

    @model_validator(mode="after")
    def _a_cluster_has_an_address(self) -> Self:
        if (self.backend == "loky") != (self.cluster_address == "none"):
            raise BadInput(
                f"backend={self.backend}, cluster_address={self.cluster_address}: wanted the "
                "address of an existing cluster for backend=ray or dask, and none for loky"
            )
        return self


class Eda(_DataOptions):
    """Describe, draw, check, correlate and project the data, and log all of it."""

    tsne_rows: int = Field(
        0, ge=0, description="images that t-SNE lays out, drawn from both splits; 0 = all"
    )
    perplexity: float = Field(
        30.0, ge=1, le=1000, description="neighbours that t-SNE keeps close, in effect"
    )


class EntryPoint(NamedTuple):
    """A name of the MLproject file: the script that does its work and the options it takes."""

    script: str
    options: type[Options]


ENTRY_POINTS: Final[Mapping[str, EntryPoint]] = {
    "main": EntryPoint("train", Train),
    "train": EntryPoint("train", Train),
    "crossval": EntryPoint("crossval", Crossval),
    "eda": EntryPoint("eda", Eda),
}
