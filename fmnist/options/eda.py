"""Options of `eda`."""

from typing import ClassVar

from pydantic import Field

from fmnist.options.base import DataOptions, Names, Seed, TsneRows


class Eda(DataOptions):
    """Explore the dataset: samples, checks, correlation, PCA and t-SNE."""

    code: ClassVar[Names] = ("data", "eda", "results/eda.py")
    libraries: ClassVar[Names] = (
        "numpy", "openTSNE", "scikit-image", "scikit-learn", "scikit-learn-intelex", "scipy",
    )  # fmt: skip

    seed: Seed = 0
    """seed of the sample images and the t-SNE embedding"""
    tsne_rows: TsneRows = 0
    perplexity: float = Field(30.0, ge=1, le=1000)
    """t-SNE perplexity"""
