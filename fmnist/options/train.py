"""The options of `train`."""

from typing import Literal

from pydantic import Field

from fmnist.options.base import NO_EFFECT
from fmnist.options.fitting import ModelOptions


class Train(ModelOptions):
    """Train one model, evaluate it once on the test rows, and log all of it."""

    test_flip: Literal["off", "on"] = Field(
        "off",
        description="log besides the accuracy of the mean answer on each test image and its mirror "
        "image, as test_accuracy_flip",
    )
    register_as: str = Field(
        "none",
        pattern=r"^[^/:.%\s\"']+$",
        description="registered model name to log the model under; none: do not register",
        json_schema_extra=NO_EFFECT,
    )
