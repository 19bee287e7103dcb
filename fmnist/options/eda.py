"""The options of `eda`."""

from pydantic import Field

from fmnist.options.fitting import DataOptions


class Eda(DataOptions):
    """Describe, draw, check, correlate and project the data, and log all of it."""

    tsne_rows: int = Field(
        0, ge=0, description="images that t-SNE lays out, drawn from both splits; 0 = all"
    )
    perplexity: float = Field(
        30.0, ge=1, le=1000, description="neighbours that t-SNE keeps close, in effect"
    )
