"""The options of `main`."""

from typing import Literal

from pydantic import Field

from fmnist.options.base import RUNTIME_ONLY
from fmnist.options.fitting import DataOptions
from fmnist.options.shared import Epochs, Folds, OutputDir, TrainSize, TsneRows, Workers


class Study(DataOptions):
    """The whole study: look at the data, train and cross-validate the report's models, compare.

    A step that the store already has, from the same options, data and code, is not done again.
    """

    train_size: TrainSize = 0
    epochs: Epochs = 10
    weights: Literal["auto", "imagenet", "hed-bsds500", "none"] = Field(
        "auto",
        description="of the backbones: auto takes ImageNet's where they can be had, else for vgg16 "
        "hed-bsds500 where installed, else random ones; hed-bsds500 leaves resnet50 random",
    )
    tsne_rows: TsneRows = 0
    folds: Folds = 5
    workers: Workers = 0
    if_done: Literal["rerun", "skip"] = Field(
        "skip",
        description="skip: take the steps that have FINISHED on this store before; rerun: do all",
        json_schema_extra=RUNTIME_ONLY,
    )
    output_dir: OutputDir = "none"
