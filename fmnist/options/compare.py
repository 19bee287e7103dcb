"""Options of `compare`."""

from typing import ClassVar, Self, get_args

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import DataOptions, Names, OutputDir, Seed
from fmnist.options.train import ModelName


class Compare(DataOptions):
    """Compare finished train runs, and cross-validations of the same configurations."""

    code: ClassVar[Names] = ("comparison", "evaluation")
    libraries: ClassVar[Names] = ("numpy", "scipy", "statsmodels")

    experiments: str = Field("all", min_length=1)
    """experiments to search: all, or comma-separated names"""
    runs: str = Field("auto", min_length=1)
    """comma-separated run ids; auto: the newest finished run of each configuration"""
    models: str = Field("all", min_length=1)
    """models to compare: all, or comma-separated names"""
    seed: Seed = 0
    """seed of the bootstrap intervals of models with one seed"""
    output_dir: OutputDir = "none"

    @property
    def experiment_names(self) -> tuple[str, ...]:
        """Names of the experiments, empty for all."""
        return _split(self.experiments, "all")

    @property
    def run_ids(self) -> tuple[str, ...]:
        """Ids of the runs, empty for automatic selection."""
        return _split(self.runs, "auto")

    @property
    def model_names(self) -> tuple[str, ...]:
        """Names of the models, empty for all."""
        return _split(self.models, "all")

    @model_validator(mode="after")
    def _check_models(self) -> Self:
        known = get_args(ModelName)
        if unknown := [name for name in self.model_names if name not in known]:
            raise BadInput(f"models={unknown[0]}: expected all, or some of {', '.join(known)}")
        if self.model_names and self.run_ids:
            raise BadInput(
                f"models={self.models} filters runs, but runs={self.runs} already selects them; "
                "leave one out"
            )
        return self


def _split(text: str, default: str) -> tuple[str, ...]:
    """Split at commas and drop repetitions; return () for the default."""
    words = [word.strip() for word in text.split(",")]
    return () if text.strip() == default else tuple(dict.fromkeys(filter(None, words)))
