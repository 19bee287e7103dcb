"""Options of `main`."""

from typing import ClassVar, Literal

from pydantic import Field

from fmnist.options.base import Folds, Names, OutputDir, TrainingOptions, TsneRows, Workers
from fmnist.options.compare import Compare
from fmnist.options.crossval import Crossval
from fmnist.options.eda import Eda


class Study(TrainingOptions):
    """The complete study: explore the data, train and cross-validate the models, compare them."""

    code: ClassVar[Names] = (
        *Crossval.code, *Eda.code, *Compare.code, "study", "results/steps.py",
    )  # fmt: skip
    libraries: ClassVar[Names] = (*Crossval.libraries, *Eda.libraries, *Compare.libraries)

    tier: Literal["report", "tuned"] = "report"
    """report: the models of the reference report; tuned: also each side in its best configuration,
    the recipes lenet5-60 and vgg16-frozen"""
    seeds: int = Field(3, ge=1, le=100)
    """number of seeds of each model, starting with seed"""
    weights: Literal["auto", "imagenet", "hed-bsds500", "none"] = "auto"
    """backbone weights; auto: imagenet if available, else hed-bsds500 for vgg16 if installed, else
    random; hed-bsds500 leaves resnet50 random"""
    tsne_rows: TsneRows = 0
    folds: Folds = 5
    workers: Workers = 0
    if_done: Literal["rerun", "skip"] = "skip"
    """skip: reuse finished runs of the same configuration; rerun: repeat all steps"""
    output_dir: OutputDir = "none"
