"""Read Kaggle's CSV files: one row per image, with its label and 784 pixel values."""

from pathlib import Path
from typing import Any, Final

import numpy as np

from fmnist.data.idx import SIDE, Bytes
from fmnist.errors import BadInput

_COLUMNS: Final = 1 + SIDE * SIDE
_MAX_LINE: Final = 20_000  # bytes of the header


def read(path: Path) -> tuple[Bytes, Bytes]:
    """Read images (n, 28, 28) and labels (n,); the file may begin with a line of column names.

    The label is in the column called `label`, otherwise in the first one.

    Raises:
        BadInput: the file cannot be read or has other columns or values.
    """
    import pyarrow as pa
    import pyarrow.csv

    csv: Any = pyarrow.csv

    try:
        with path.open("rb") as file:
            first = file.readline(_MAX_LINE).decode("utf-8-sig").strip().split(",")
        if len(first) != _COLUMNS:
            raise BadInput(
                f"{path}: expected {_COLUMNS} columns (label and {SIDE * SIDE} pixels), got "
                f"{len(first)}"
            )
        has_names = not first[0].strip('"').isdigit()
        names = [name.strip('"').lower() for name in first]
        label = names.index("label") if "label" in names else 0
        columns = [f"f{number}" for number in range(_COLUMNS)]
        options = csv.ReadOptions(column_names=columns, skip_rows=int(has_names))
        types = csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.uint8()))
        table = csv.read_csv(
            path,
            options,
            convert_options=types,
        )
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise BadInput(
            f"{path}: expected a CSV file of whole numbers from 0 to 255, got {error}"
        ) from error
    if table.num_rows == 0 or any(column.null_count for column in table.columns):
        raise BadInput(f"{path}: expected a label and all pixels in each row, got missing values")
    pixels = [column.to_numpy() for number, column in enumerate(table.columns) if number != label]
    images = np.column_stack(pixels).reshape(-1, SIDE, SIDE)
    return images, table.column(label).to_numpy()
