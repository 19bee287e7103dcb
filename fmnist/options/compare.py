"""The options of `compare`."""

from typing import Self, get_args

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.fitting import DataOptions
from fmnist.options.shared import OutputDir
from fmnist.options.train import Train


class Compare(DataOptions):
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
    output_dir: OutputDir = "none"

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
