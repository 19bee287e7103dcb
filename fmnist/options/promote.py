"""Options of `promote`: the model, and the gates it must pass."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import MODEL_NAME, RUN_OR_AUTO, CacheOptions


class Promote(CacheOptions):
    """Make a trained model the champion of a registered name if it passes the gates."""

    register_as: str = Field("none", pattern=MODEL_NAME)
    """registered model name (required)"""
    run: str = Field("auto", pattern=RUN_OR_AUTO)
    """id of the train run; auto: the run of the newest version of the name"""
    min_val_accuracy: float = Field(0.0, ge=0, le=1)
    """gate: minimum validation accuracy; 0 = no gate"""
    min_class_recall: float = Field(0.0, ge=0, le=1)
    """gate: minimum validation recall of every class; 0 = no gate"""
    max_ms_per_image: float = Field(0.0, ge=0)
    """gate: maximum prediction time in ms per image; 0 = no gate"""
    max_model_bytes: int = Field(0, ge=0)
    """gate: maximum model size; 0 = no gate"""
    significance: float = Field(0.05, gt=0, lt=1)
    """gate: significance level of McNemar's test against the champion"""
    force: Literal["off", "on"] = "off"
    """promote even if a gate rejects"""
    to_version: int = Field(0, ge=0)
    """roll the champion back to this version, without gates; 0 = no"""

    @model_validator(mode="after")
    def _reject_run_with_rollback(self) -> Self:
        if self.to_version and self.run != "auto":
            raise BadInput(
                f"to_version={self.to_version} rolls back to a registered version, but "
                f"run={self.run} promotes a new one; leave one out"
            )
        return self

    @property
    def name(self) -> str:
        """The registered model name.

        Raises:
            BadInput: none was given.
        """
        if self.register_as == "none":
            raise BadInput("register_as=none: expected a registered model name")
        return self.register_as
