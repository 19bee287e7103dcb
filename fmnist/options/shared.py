"""Single options that several entry points take: the same range and help, declared once."""

from typing import Annotated

from pydantic import Field

from fmnist.options.base import RUNTIME_ONLY

TrainSize = Annotated[
    int, Field(ge=0, description="use only this many training rows, stratified; 0 = all")
]
Epochs = Annotated[int, Field(ge=1, le=10_000, description="passes over the training rows")]
TsneRows = Annotated[
    int, Field(ge=0, description="images that t-SNE lays out, drawn from both splits; 0 = all")
]
Folds = Annotated[
    int,
    Field(ge=2, le=1000, description="parts the training rows are divided into, stratified"),
]
Workers = Annotated[
    int,
    Field(
        ge=0,
        le=1024,
        description="processes that train folds side by side; 0 = one per core",
        json_schema_extra=RUNTIME_ONLY,
    ),
]
Resume = Annotated[
    str,
    Field(
        pattern=r"^(auto|off|[0-9a-f]{32})$",
        description="auto: complete the newest unfinished run of the same configuration; off: "
        "begin anew; or the id of the run to complete",
        json_schema_extra=RUNTIME_ONLY,
    ),
]
OutputDir = Annotated[
    str,
    Field(
        min_length=1,
        description="folder to write the page, tables and figures to as well; none: only the run",
        json_schema_extra=RUNTIME_ONLY,
    ),
]
