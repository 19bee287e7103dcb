"""The options of `crossval`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import RUNTIME_ONLY
from fmnist.options.fitting import ModelOptions
from fmnist.options.shared import Folds, Resume, Workers


class Crossval(ModelOptions):
    """Train one model a fold, score each on the rows it has not seen, and log all of it."""

    folds: Folds = 5
    repeats: int = Field(1, ge=1, le=100, description="how often to divide them anew")
    workers: Workers = 0
    backend: Literal["loky", "ray", "dask"] = Field(
        "loky",
        description="where folds are trained: loky on this machine, ray or dask on a cluster",
        json_schema_extra=RUNTIME_ONLY,
    )
    cluster_address: str = Field(
        "none",
        min_length=1,
        description="HOST:PORT of the existing Ray or Dask cluster",
        json_schema_extra=RUNTIME_ONLY,
    )
    resume: Resume = "auto"
    if_done: Literal["rerun", "skip"] = Field(
        "rerun",
        description="skip: end at once when the same configuration has FINISHED on this store "
        "within done_within_hours",
        json_schema_extra=RUNTIME_ONLY,
    )
    done_within_hours: float = Field(
        0.0,
        ge=0,
        description="how long a finished run counts for if_done=skip; 0 = for ever",
        json_schema_extra=RUNTIME_ONLY,
    )
    timeout_minutes: float = Field(
        0.0,
        ge=0,
        le=100_000,
        description="end the run as KILLED after this time, folds kept for a resume; 0 = never",
        json_schema_extra=RUNTIME_ONLY,
    )
    alarm_runs: int = Field(
        10,
        ge=0,
        le=1000,
        description="drift alarm: how many earlier runs of the same configuration to compare with; "
        "0 = no alarm",
        json_schema_extra=RUNTIME_ONLY,
    )

    @model_validator(mode="after")
    def _held_out_rows_are_unseen(self) -> Self:
        if self.teacher != "none":
            raise BadInput(
                f"teacher={self.teacher}: a teacher knows the rows that a fold holds "
                "out, so that its score would be too high; use teacher=none, or train"
            )
        return self

    @model_validator(mode="after")
    def _a_cluster_has_an_address(self) -> Self:
        if (self.backend == "loky") != (self.cluster_address == "none"):
            raise BadInput(
                f"backend={self.backend}, cluster_address={self.cluster_address}: wanted the "
                "address of an existing cluster for backend=ray or dask, and none for loky"
            )
        return self
