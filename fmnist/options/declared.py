"""The options of every entry point: one frozen model each, with type, range, default and help."""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, Self, get_args

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import NO_EFFECT, CacheOptions, Options
from fmnist.options.promote import Promote

_OF_BACKBONES: Final = (
    "weights",
    "input_size",
    "input_scaling",
    "feature_layers",
    "unfreeze_blocks",
)


class _DataOptions(CacheOptions):
    data_dir: str = Field(
        "auto",
        description="folder with the four idx files, or auto: $FMNIST_DATA_DIR, the system's "
        "dataset folder, the cache, a download",
        json_schema_extra=NO_EFFECT,  # the digest of the data itself counts instead
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


class Train(_FitOptions):
    """Train one model, evaluate it once on the test rows, and log all of it."""

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
    register_as: str = Field(
        "none",
        pattern=r"^[^/:.%\s\"']+$",
        description="registered model name to log the model under; none: do not register",
        json_schema_extra=NO_EFFECT,
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


class Crossval(_FitOptions):
    """Train one model a fold, score each on the rows it has not seen, and log all of it."""

    model: Literal["lenet5"] = Field("lenet5", description="which network")
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


class Eda(_DataOptions):
    """Describe, draw, check, correlate and project the data, and log all of it."""

    tsne_rows: int = Field(
        0, ge=0, description="images that t-SNE lays out, drawn from both splits; 0 = all"
    )
    perplexity: float = Field(
        30.0, ge=1, le=1000, description="neighbours that t-SNE keeps close, in effect"
    )


class Compare(_DataOptions):
    """Compare finished runs of `train`, and the cross-validations of the same options."""

    experiments: str = Field(
        "all", min_length=1, description="where to look for runs: all, or names with commas between"
    )
    runs: str = Field(
        "auto",
        min_length=1,
        description="auto: the newest finished run of every configuration; or run ids with commas "
        "between",
    )
    models: str = Field(
        "all", min_length=1, description="compare only these: all, or models with commas between"
    )
    output_dir: str = Field(
        "none",
        min_length=1,
        description="folder to write the page, tables and figures to as well; none: only the run",
        json_schema_extra=NO_EFFECT,
    )

    @property
    def experiment_names(self) -> tuple[str, ...]:
        """Empty for all."""
        return _listed(self.experiments, "all")

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Empty to have them chosen."""
        return _listed(self.runs, "auto")

    @property
    def model_names(self) -> tuple[str, ...]:
        """Empty for all."""
        return _listed(self.models, "all")

    @model_validator(mode="after")
    def _models_choose_among_known(self) -> Self:
        known = get_args(Train.model_fields["model"].annotation)
        if unknown := [name for name in self.model_names if name not in known]:
            raise BadInput(f"models={unknown[0]}: wanted all, or some of {', '.join(known)}")
        if self.model_names and self.run_ids:
            raise BadInput(
                f"models={self.models} chooses among runs, runs={self.runs} names them; "
                "leave one of both out"
            )
        return self


def _listed(text: str, everything: str) -> tuple[str, ...]:
    """What stands between commas, each once; nothing where the text says everything."""
    words = [word.strip() for word in text.split(",")]
    return () if text.strip() == everything else tuple(dict.fromkeys(filter(None, words)))


class EntryPoint(NamedTuple):
    """A name of the MLproject file: the script that does its work and the options it takes."""

    script: str
    options: type[Options]


ENTRY_POINTS: Final[Mapping[str, EntryPoint]] = {
    "main": EntryPoint("train", Train),
    "train": EntryPoint("train", Train),
    "crossval": EntryPoint("crossval", Crossval),
    "eda": EntryPoint("eda", Eda),
    "compare": EntryPoint("compare", Compare),
    "promote": EntryPoint("promote", Promote),
}
