"""The options of `eda`."""

from pydantic import Field

from fmnist.options.fitting import DataOptions
from fmnist.options.shared import TsneRows


class Eda(DataOptions):
    """Describe, draw, check, correlate and project the data, and log all of it."""

    tsne_rows: TsneRows = 0
    perplexity: float = Field(
        30.0, ge=1, le=1000, description="neighbors that t-SNE keeps close, in effect"
    )
