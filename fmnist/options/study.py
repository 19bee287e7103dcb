"""The options of `main`."""

from typing import Literal

from pydantic import Field

from fmnist.options.base import NO_EFFECT
from fmnist.options.fitting import DataOptions


class Study(DataOptions):
    """The whole study: look at the data, train and cross-validate the report's models, compare.

    A step that the store already has, from the same options, data and code, is not done again.
    """

    train_size: int = Field(
        0, ge=0, description="use only this many training rows, stratified; 0 = all"
    )
    epochs: int = Field(10, ge=1, le=10_000, description="passes over the training rows")
    weights: Literal["auto", "imagenet", "hed-bsds500", "none"] = Field(
        "auto",
        description="of the backbones: auto takes ImageNet's where they can be had, else for vgg16 "
        "hed-bsds500 where installed, else random ones; hed-bsds500 leaves resnet50 random",
    )
    tsne_rows: int = Field(
        0, ge=0, description="images that t-SNE lays out, drawn from both splits; 0 = all"
    )
    folds: int = Field(
        5, ge=2, le=1000, description="parts the training rows are divided into, stratified"
    )
    workers: int = Field(
        0,
        ge=0,
        le=1024,
        description="processes that train folds side by side; 0 = one per core",
        json_schema_extra=NO_EFFECT,
    )
    if_done: Literal["rerun", "skip"] = Field(
        "skip",
        description="skip: take the steps that have FINISHED on this store before; rerun: do all",
        json_schema_extra=NO_EFFECT,
    )
    output_dir: str = Field(
        "none",
        min_length=1,
        description="local folder for the page, its tables and figures; none: in the run only",
        json_schema_extra=NO_EFFECT,
    )
