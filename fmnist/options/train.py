"""The options of `train`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import RUNTIME_ONLY
from fmnist.options.fitting import ModelOptions
from fmnist.options.shared import Resume


class Train(ModelOptions):
    """Train one model, evaluate it once on the test rows, and log all of it."""

    tta_flip: Literal["off", "on"] = Field(
        "off",
        description="log besides the accuracy of the mean answer on each test image and its mirror "
        "image, as test_accuracy_flip",
    )
    register_as: str = Field(
        "none",
        pattern=r"^[^/:.%\s\"']+$",
        description="registered model name to log the model under; none: do not register",
        json_schema_extra=RUNTIME_ONLY,
    )
    checkpoints: Literal["on", "off"] = Field(
        "on",
        description="keep on disk after every epoch what a resume needs, until the run is stored; "
        "off: write none and begin anew",
        json_schema_extra=RUNTIME_ONLY,
    )
    resume: Resume = "auto"

    @model_validator(mode="after")
    def _a_run_goes_on_from_its_checkpoint(self) -> Self:
        if self.checkpoints == "off" and self.resume not in ("auto", "off"):
            raise BadInput(
                f"resume={self.resume} goes on from a checkpoint, but checkpoints=off uses none; "
                "leave one of both out"
            )
        return self
