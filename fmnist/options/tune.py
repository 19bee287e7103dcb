"""Options of `tune`, and the search space of each option that can be tuned."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import STUDY_NAME, Names, Resume, Workers
from fmnist.options.recipe import OF_IMAGES, RecipeOptions
from fmnist.options.train import FROM_SCRATCH, ModelOptions, Train

_SIGNIFICANT_DIGITS: Final = 3


@dataclass(frozen=True)
class Float:
    """A search space of floats from `low` to `high`, sampled log-uniformly."""

    low: float
    high: float

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


# Values of an option, or their range. Techniques can be turned off, so that simpler models can win.
SPACES: Final[Mapping[str, tuple[Any, ...] | Float]] = {
    "learning_rate": Float(0.0003, 0.02),
    "batch_size": (16, 32, 64, 128, 256),
    "dropout": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    "normalize": ("off", "on"),
    "flip": ("off", "on"),
    "translate": (0, 1, 2),
    "random_erasing": (0.0, 0.1, 0.25, 0.5),
    "mixup": (0.0, 0.1, 0.2, 0.4),
    "optimizer": ("adam", "adamw", "sgd", "muon"),
    "weight_decay": (0.0, 0.005, 0.01, 0.02, 0.05, 0.1),
    "schedule": ("constant", "cosine", "onecycle"),
    "warmup": (0.0, 0.05, 0.1, 0.2, 0.3),
    "label_smoothing": (0.0, 0.02, 0.05, 0.1),
    "ema": (0.0, 0.99, 0.995, 0.999),
}


def round_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Round floats to three significant digits, so that command lines stay readable."""
    return {
        name: float(f"{value:.{_SIGNIFICANT_DIGITS}g}")
        if isinstance(SPACES[name], Float)
        else value
        for name, value in values.items()
    }


class Tune(ModelOptions):
    """Tune hyperparameters on validation data, then train and evaluate the winner."""

    code: ClassVar[Names] = (*ModelOptions.code, "tuning")

    trials: int = Field(50, ge=0, le=100_000)
    """number of trials of the study; 0: the given options are the winner"""
    search: str = Field("auto", min_length=1)
    """comma-separated options to tune; auto: all except techniques that are given"""
    scoring_folds: int = Field(0, ge=0, le=100)
    """score trials by cross-validation with this many folds; 0: on the validation rows"""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """pruner that stops trials early"""
    refit: Literal["same", "all"] = "same"
    """training rows of the winner: same as its trial, or all"""
    seeds: int = Field(3, ge=1, le=100)
    """number of seeds for the winner and each ablation"""
    ablate: Literal["off", "on"] = "off"
    """also train the winner without each of its techniques"""
    study: str = Field("auto", pattern=STUDY_NAME)
    """Optuna study name, to share a study between processes; auto: one per configuration"""
    storage: str = Field("auto", min_length=1)
    """Optuna storage, a SQLAlchemy URL without password; auto: $FMNIST_STUDY_STORAGE, or tune.db in
    the user's state directory"""
    workers: Workers = 0
    resume: Resume = "auto"

    @property
    def searched(self) -> tuple[str, ...]:
        """The options that trials choose, in the order of `SPACES`."""
        if self.search != "auto":
            return tuple(name for name in self._searchable if name in self.search.split(","))
        return tuple(
            name
            for name in self._searchable
            if name not in RecipeOptions.model_fields or name not in self.model_fields_set
        )

    @property
    def _searchable(self) -> tuple[str, ...]:
        from_scratch = self.model in FROM_SCRATCH
        return tuple(name for name in SPACES if from_scratch or name not in OF_IMAGES)

    def fingerprint_fields(self) -> dict[str, str]:
        """Return the options that affect the result, as text, with the names that are searched."""
        return super().fingerprint_fields() | {"search": ",".join(self.searched)}

    def with_chosen(self, chosen: Mapping[str, Any]) -> Self:
        """Return these options with the values that a trial chose."""
        return type(self).model_validate(self.model_dump(exclude_unset=True) | dict(chosen))

    def winner(self) -> Train:
        """Return the options of `train` for the winner."""
        shared = {name: getattr(self, name) for name in ModelOptions.model_fields}
        all_rows = {"validation_fraction": 0.0} if self.refit == "all" else {}
        return Train.model_validate(shared | all_rows)

    def start(self) -> dict[str, Any]:
        """Return the values of the first trial: the given options, if in the search space."""
        values = {name: getattr(self, name) for name in self.searched}
        return {name: value for name, value in values.items() if value in SPACES[name]}

    @model_validator(mode="after")
    def _check_searched_names(self) -> Self:
        if self.search == "auto":
            return self
        for name in self.search.split(","):
            if name not in self._searchable:
                raise BadInput(
                    f"search={self.search}: `{name}` cannot be searched for model={self.model}; "
                    f"expected auto, or some of {', '.join(self._searchable)}"
                )
        return self

    @model_validator(mode="after")
    def _require_score(self) -> Self:
        if self.scoring_folds == 1:
            raise BadInput("scoring_folds=1: expected 0, or at least 2")
        if self.trials and not self.scoring_folds and not self.validation_fraction:
            raise BadInput(
                "trials are compared on validation rows, but validation_fraction=0 leaves none; "
                "use a larger fraction, or scoring_folds=5"
            )
        if self.refit == "all" and (self.keep == "best" or self.patience):
            raise BadInput(
                "refit=all leaves no validation rows to select an epoch; use keep=last and "
                "patience=0"
            )
        return self
