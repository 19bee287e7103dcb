"""The options of `promote`: which model, and the gates it has to pass."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import CacheOptions


class Promote(CacheOptions):
    """Make a trained model the champion of a registered name, if it passes the gates."""

    register_as: str = Field(
        "none",
        pattern=r"^[^/:.%\s\"']+$",
        description="the registered model name whose champion is chosen; must be given",
    )
    run: str = Field(
        "auto",
        pattern=r"^(auto|[0-9a-f]{32})$",
        description="the run of train whose model to promote; auto: that of the newest version "
        "registered under the name",
    )
    min_val_accuracy: float = Field(
        0.0, ge=0, le=1, description="gate: accuracy on the validation rows; 0 = none"
    )
    min_class_recall: float = Field(
        0.0, ge=0, le=1, description="gate: recall of every class on the validation rows; 0 = none"
    )
    max_ms_per_image: float = Field(
        0.0, ge=0, description="gate: milliseconds a prediction, as train measured; 0 = none"
    )
    max_model_bytes: int = Field(0, ge=0, description="gate: size of the model's files; 0 = none")
    significance: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="gate: largest p-value of McNemar's test that counts as better than the "
        "champion",
    )
    force: Literal["off", "on"] = Field(
        "off", description="on: make it the champion whatever the gates say"
    )
    to_version: int = Field(
        0, ge=0, description="move the champion back to this version, gates aside; 0 = no"
    )

    @model_validator(mode="after")
    def _back_or_forth(self) -> Self:
        if self.to_version and self.run != "auto":
            raise BadInput(
                f"to_version={self.to_version} moves the champion back to a registered version, "
                f"and run={self.run} names a new one; give one of them"
            )
        return self

    @property
    def name(self) -> str:
        """The registered model name.

        Raises:
            BadInput: none was given.
        """
        if self.register_as == "none":
            raise BadInput("register_as=none: wanted the registered model name to promote for")
        return self.register_as
