"""The options of `tune`."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import RUNTIME_ONLY
from fmnist.options.fitting import FROM_SCRATCH, ModelOptions
from fmnist.options.recipe import AS_RECIPE, RecipeOptions
from fmnist.options.shared import Workers
from fmnist.options.spaces import SPACES, searchable
from fmnist.options.train import Train


class Tune(ModelOptions):
    """Search for the options that score best on validation rows; then train the winner, look at
    the test rows once a seed, and, if asked, take its techniques away one by one.
    """

    trials: int = Field(
        50,
        ge=0,
        le=100_000,
        description="how many options to try in the whole study; 0: take those given as the winner",
        json_schema_extra=RUNTIME_ONLY,
    )
    search: str = Field(
        "auto",
        min_length=1,
        description="options to search, with commas between; auto: all that can be, but techniques "
        "with a value of their own; the others stay as given",
    )
    scoring_folds: int = Field(
        0,
        ge=0,
        le=100,
        description="score a trial by the mean of so many folds, 2 or more; 0: by the rows of "
        "validation_fraction",
    )
    pruner: Literal["median", "hyperband", "none"] = Field(
        "median", description="which trials are given up early"
    )
    refit: Literal["same", "all"] = Field(
        "same",
        description="rows that the winner is trained on at last: those of its trial, or all",
    )
    seeds: int = Field(
        3, ge=1, le=100, description="how many seeds the winner, and each ablation, is trained with"
    )
    ablate: Literal["off", "on"] = Field(
        "off", description="train the winner without each of its techniques as well"
    )
    study: str = Field(
        "auto",
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="name of the search in its database; who gives the same joins it; auto: one "
        "for these options, data and code",
        json_schema_extra=RUNTIME_ONLY,
    )
    storage: str = Field(
        "auto",
        min_length=1,
        description="database of searches, a SQLAlchemy URL without password; auto: "
        "$FMNIST_STUDY_STORAGE, else tune.db in the user's folder for state",
        json_schema_extra=RUNTIME_ONLY,
    )
    workers: Workers = 0
    resume: str = Field(
        "auto",
        pattern=r"^(auto|off|[0-9a-f]{32})$",
        description="auto: complete the newest unfinished run of the same configuration; off: "
        "begin anew; or the id of the run to complete",
        json_schema_extra=RUNTIME_ONLY,
    )

    @property
    def searched(self) -> tuple[str, ...]:
        """The options that trials choose, in the order of the declared spaces."""
        able = searchable(self.model in FROM_SCRATCH)
        if self.search != "auto":
            asked = self.search.split(",")
            return tuple(name for name in able if name in asked)
        techniques = RecipeOptions.model_fields
        return tuple(
            name for name in able if name not in techniques or getattr(self, name) == AS_RECIPE
        )

    def with_chosen(self, chosen: Mapping[str, Any]) -> Self:
        """These options with what a trial chose; techniques that it left out as they are given."""
        return type(self).model_validate(self.model_dump() | dict(chosen))

    def winner(self) -> Train:
        """The options of `train` for the last trainings, once the search has chosen."""
        shared = {name: getattr(self, name) for name in ModelOptions.model_fields}
        rest = {"validation_fraction": 0.0} if self.refit == "all" else {}
        return Train.model_validate(shared | rest)

    def start(self) -> dict[str, Any]:
        """What the options themselves say of those searched, as far as the spaces have it."""
        done = vars(self.techniques) | {
            name: getattr(self, name) for name in ("learning_rate", "batch_size", "dropout")
        }
        return {name: done[name] for name in self.searched if done[name] in SPACES[name]}

    @model_validator(mode="after")
    def _names_can_be_searched(self) -> Self:
        if self.search == "auto":
            return self
        able = searchable(self.model in FROM_SCRATCH)
        for name in self.search.split(","):
            if name not in able:
                raise BadInput(
                    f"search={self.search}: `{name}` cannot be searched for model={self.model}; "
                    f"wanted some of {', '.join(able)}, or auto"
                )
        return self

    @model_validator(mode="after")
    def _trials_have_a_score(self) -> Self:
        if self.scoring_folds == 1:
            raise BadInput("scoring_folds=1: wanted 0, or 2 or more")
        if self.trials and not self.scoring_folds and not self.validation_fraction:
            raise BadInput(
                "trials are compared on validation rows, but validation_fraction=0 leaves none; "
                "use a larger fraction, or scoring_folds=5"
            )
        if self.refit == "all" and (self.keep == "best" or self.techniques.patience):
            raise BadInput(
                "refit=all trains on all rows, so that none are left to choose an epoch by; use "
                "keep=last and patience=0"
            )
        return self
