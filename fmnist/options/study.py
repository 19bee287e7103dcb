"""Options of `main`."""

from typing import ClassVar, Literal

from pydantic import Field

from fmnist.options.base import (
    DataOptions,
    Epochs,
    Folds,
    Names,
    OutputDir,
    SplitSeed,
    TrainSize,
    TsneRows,
    Workers,
)
from fmnist.options.compare import Compare
from fmnist.options.crossval import Crossval
from fmnist.options.eda import Eda


class Study(DataOptions):
    """The complete study: explore the data, train and cross-validate the models, compare them."""

    code: ClassVar[Names] = (
        *Crossval.code,
        *Eda.code,
        *Compare.code,
        "study",
        "results/steps.py",
    )
    libraries: ClassVar[Names] = (*Crossval.libraries, *Eda.libraries, *Compare.libraries)

    tier: Literal["report", "tuned"] = Field(
        "report",
        description="report: the models of the reference report; tuned: also each side in its best "
        "configuration, the recipes lenet5-10 and vgg16-frozen",
    )
    seeds: int = Field(
        3, ge=1, le=100, description="number of seeds of each model, starting with seed"
    )
    split_seed: SplitSeed = 0
    train_size: TrainSize = 0
    epochs: Epochs = 10
    weights: Literal["auto", "imagenet", "hed-bsds500", "none"] = Field(
        "auto",
        description="backbone weights; auto: imagenet if available, else hed-bsds500 for vgg16 if "
        "installed, else random; hed-bsds500 leaves resnet50 random",
    )
    tsne_rows: TsneRows = 0
    folds: Folds = 5
    workers: Workers = 0
    if_done: Literal["rerun", "skip"] = Field(
        "skip",
        description="skip: reuse finished runs of the same configuration; rerun: repeat all steps",
    )
    output_dir: OutputDir = "none"
