"""Read images and labels from other formats than IDX: NumPy archives, CSV and Parquet files.

No reader unpickles, and all limit the memory that a hostile file can occupy. Shapes and types are
checked by `formats`.
"""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fmnist.data.idx import MAX_ROWS, SIDE, Bytes
from fmnist.errors import BadInput

Array = npt.NDArray[Any]

_KERAS: Final = ("x_train", "y_train", "x_test", "y_test")
_MEDMNIST: Final = ("train_images", "train_labels", "test_images", "test_labels")
_VALIDATION: Final = ("val_images", "val_labels")  # of MedMNIST
_MAX_ARRAY_BYTES: Final = 10_000 + MAX_ROWS * SIDE * SIDE  # with its header
_NPZ_ERRORS: Final = (
    OSError, EOFError, KeyError, MemoryError, RuntimeError, ValueError, zipfile.BadZipFile,
    zlib.error,
)  # fmt: skip

_CSV_COLUMNS: Final = 1 + SIDE * SIDE
_MAX_CSV_HEADER: Final = 20_000  # bytes

_IMAGE_COLUMNS: Final = ("image", "img")
_MAX_ENCODED_BYTES: Final = 10_000  # of a PNG or JPEG image
_PARQUET_BATCH: Final = 4096  # rows


def read_npz(path: Path) -> list[Array]:
    """Read training and test images and labels from a file of Keras or MedMNIST.

    MedMNIST's validation rows follow its training rows.

    Raises:
        BadInput: the file cannot be read, or does not contain these arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            keys = next((k for k in (_KERAS, _MEDMNIST) if members.issuperset(k)), None)
            if keys is None:
                raise BadInput(
                    f"{path}: expected the arrays {', '.join(_KERAS)} (Keras) or "
                    f"{', '.join(_MEDMNIST)} (MedMNIST), got {', '.join(sorted(members)[:8])}"
                )
            arrays = [_read_member(archive, key) for key in keys]
            if members.issuperset(_VALIDATION):
                validation = [_read_member(archive, key) for key in _VALIDATION]
                arrays[:2] = map(np.concatenate, zip(arrays[:2], validation, strict=True))
    except _NPZ_ERRORS as error:
        raise BadInput(f"{path}: expected an intact .npz file, got {error}") from error
    return arrays


def _read_member(archive: zipfile.ZipFile, key: str) -> Array:
    member = archive.getinfo(f"{key}.npy")
    if member.file_size > _MAX_ARRAY_BYTES:
        raise ValueError(
            f"{key} of {member.file_size:,} bytes, more than {MAX_ROWS:,} grayscale images of "
            f"{SIDE} x {SIDE} pixels"
        )
    with archive.open(member) as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
        return array


def read_csv(path: Path) -> tuple[Bytes, Bytes]:
    """Read images (n, 28, 28) and labels (n,) from a file of Kaggle, one row per image.

    The file may begin with a line of column names. The label is in the column called `label`,
    otherwise in the first one.

    Raises:
        BadInput: the file cannot be read or has other columns or values.
    """
    import pyarrow as pa
    import pyarrow.csv

    csv: Any = pyarrow.csv
    try:
        with path.open("rb") as file:
            first = file.readline(_MAX_CSV_HEADER).decode("utf-8-sig").strip().split(",")
        if len(first) != _CSV_COLUMNS:
            raise BadInput(
                f"{path}: expected {_CSV_COLUMNS} columns (label and {SIDE * SIDE} pixels), got "
                f"{len(first)}"
            )
        names = [name.strip('"').lower() for name in first]
        columns = [str(number) for number in range(_CSV_COLUMNS)]
        table = csv.read_csv(
            path,
            csv.ReadOptions(column_names=columns, skip_rows=int(not names[0].isdigit())),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.uint8()), null_values=[]
            ),
        )
    except (OSError, UnicodeDecodeError, pa.ArrowException) as error:
        raise BadInput(
            f"{path}: expected a CSV file of whole numbers from 0 to 255, got {error}"
        ) from error
    label = names.index("label") if "label" in names else 0
    pixels = [column.to_numpy() for number, column in enumerate(table.columns) if number != label]
    return np.column_stack(pixels).reshape(-1, SIDE, SIDE), table.column(label).to_numpy()


def read_parquet(paths: Sequence[Path]) -> tuple[Bytes, Array]:
    """Read images (n, 28, 28) and labels (n,) from the files of one split of Hugging Face.

    Raises:
        BadInput: a file cannot be read, or its images are not 28 x 28 grayscale.
    """
    import pyarrow as pa
    import pyarrow.parquet

    parquet: Any = pyarrow.parquet
    images: list[Bytes] = []
    labels: list[int] = []
    for path in paths:
        try:
            with parquet.ParquetFile(path) as file:
                names = file.schema_arrow.names
                column = next((name for name in _IMAGE_COLUMNS if name in names), None)
                if column is None or "label" not in names:
                    raise ValueError(f"the columns {', '.join(names)}")
                _check_size(file.metadata)
                for batch in file.iter_batches(_PARQUET_BATCH, columns=[column, "label"]):
                    images += map(_decode, batch.column(column).to_pylist())
                    labels += batch.column("label").to_pylist()
        except (pa.ArrowException, OSError, TypeError, ValueError) as error:
            row = f" row {len(images):,} or later" if images else ""
            raise BadInput(
                f"{path}:{row} expected the columns image ({SIDE} x {SIDE} grayscale) and label, "
                f"got {error}"
            ) from error
    return np.stack(images), np.array(labels)


def _check_size(metadata: Any) -> None:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    if not 0 < metadata.num_rows <= MAX_ROWS or size > metadata.num_rows * _MAX_ENCODED_BYTES:
        raise ValueError(
            f"{metadata.num_rows:,} rows in {size:,} bytes; at most {MAX_ROWS:,} rows of "
            f"{_MAX_ENCODED_BYTES:,} bytes are accepted"
        )


def _decode(value: Any) -> Bytes:
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
