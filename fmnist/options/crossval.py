"""Options of `crossval`."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from fmnist.errors import BadInput
from fmnist.options.base import Folds, Names, Resume, Workers
from fmnist.options.train import ModelOptions


class Crossval(ModelOptions):
    """Cross-validate one model: train it once per fold and evaluate it on the held-out rows."""

    code: ClassVar[Names] = (*ModelOptions.code, "crossval", "evaluation/crossval_statistics.py")

    folds: Folds = 5
    repeats: int = Field(1, ge=1, le=100)
    """number of repetitions with other folds"""
    workers: Workers = 0
    backend: Literal["loky", "ray", "dask"] = "loky"
    """where folds are trained: loky on this machine, ray or dask on a cluster"""
    cluster_address: str = Field("none", min_length=1)
    """HOST:PORT of an existing Ray or Dask cluster"""
    resume: Resume = "auto"
    if_done: Literal["rerun", "skip"] = "rerun"
    """skip: do nothing if a run of the same configuration finished within done_within_hours"""
    done_within_hours: float = Field(0.0, ge=0)
    """maximum age of a finished run for if_done=skip; 0 = unlimited"""
    timeout_minutes: float = Field(0.0, ge=0, le=100_000)
    """stop after this time with status KILLED; finished folds are kept; 0 = never"""
    alarm_runs: int = Field(10, ge=0, le=1000)
    """drift alarm: number of earlier runs of the same configuration to compare with; 0 = no
    alarm"""

    @model_validator(mode="after")
    def _reject_teacher(self) -> Self:
        if self.teacher != "none":
            raise BadInput(
                f"teacher={self.teacher}: the teacher was trained on the held-out rows, which "
                "biases their accuracy; use teacher=none, or train"
            )
        return self

    @model_validator(mode="after")
    def _require_address_of_cluster(self) -> Self:
        if (self.backend == "loky") != (self.cluster_address == "none"):
            raise BadInput(
                f"backend={self.backend}, cluster_address={self.cluster_address}: expected the "
                "address of an existing cluster for ray or dask, and none for loky"
            )
        return self
