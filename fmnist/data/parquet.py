"""Read Parquet files of Hugging Face: a column with encoded images and a column of labels."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fmnist.data.idx import MAX_ROWS, SIDE
from fmnist.errors import BadInput

_IMAGE_COLUMNS: Final = ("image", "img")
_LABEL: Final = "label"
_MAX_IMAGE_BYTES: Final = 10_000  # of an encoded image
_BATCH: Final = 4096  # rows


def read(paths: Sequence[Path]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Read images (n, 28, 28) and labels (n,) from the files of one split, in this order.

    Raises:
        BadInput: a file cannot be read, or its images are not 28 x 28 grayscale.
    """
    import pyarrow as pa
    import pyarrow.parquet

    parquet: Any = pyarrow.parquet

    images: list[npt.NDArray[np.uint8]] = []
    labels: list[int] = []
    for path in paths:
        try:
            with parquet.ParquetFile(path) as file:
                names = file.schema_arrow.names
                column = next((name for name in _IMAGE_COLUMNS if name in names), None)
                if column is None or _LABEL not in names:
                    raise BadInput(
                        f"{path}: expected the columns image and {_LABEL}, got {', '.join(names)}"
                    )
                _check_size(path, file.metadata, len(images))
                for batch in file.iter_batches(_BATCH, columns=[column, _LABEL]):
                    images += [_decode(value) for value in batch.column(column).to_pylist()]
                    labels += batch.column(_LABEL).to_pylist()
        except (pa.ArrowException, OSError, TypeError, ValueError) as error:
            row = f" row {len(images):,} or later" if images else ""
            raise BadInput(
                f"{path}:{row} expected {SIDE} x {SIDE} grayscale images and labels, got {error}"
            ) from error
    return np.stack(images), np.array(labels, np.int64)


def _check_size(path: Path, metadata: Any, read: int) -> None:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    rows = read + metadata.num_rows
    if not 0 < rows <= MAX_ROWS or size > metadata.num_rows * _MAX_IMAGE_BYTES:
        raise BadInput(
            f"{path}: expected at most {MAX_ROWS:,} images of at most {_MAX_IMAGE_BYTES:,} bytes, "
            f"got {rows:,} images in {size:,} bytes"
        )


def _decode(value: Any) -> npt.NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    content = value["bytes"] if isinstance(value, dict) else value
    try:
        opened = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
    except UnidentifiedImageError as error:
        raise ValueError("an image that is neither PNG nor JPEG") from error
    with opened as image:
        # Checked before the pixels are decoded.
        if image.size != (SIDE, SIDE) or image.mode != "L":
            raise ValueError(f"an image of {image.size} pixels in mode {image.mode}")
        return np.asarray(image)
