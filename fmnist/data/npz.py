"""Read the `.npz` files of Keras and MedMNIST, without pickle and with bounded memory."""

import zipfile
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.data.arrays import Arrays, as_arrays
from fmnist.data.idx import MAX_ROWS, SIDE
from fmnist.errors import BadInput

_KERAS: Final = ("x_train", "y_train", "x_test", "y_test")
_MEDMNIST: Final = ("train_images", "train_labels", "test_images", "test_labels")
_VALIDATION: Final = ("val_images", "val_labels")  # of MedMNIST
_MAX_IMAGE_BYTES: Final = SIDE * SIDE


def read(path: Path) -> Arrays:
    """Read training and test arrays; MedMNIST's validation rows follow its training rows.

    Raises:
        BadInput: the file cannot be read, or its arrays are not images and labels.
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
            arrays = [_read_array(archive, key, path) for key in keys]
            if members.issuperset(_VALIDATION):
                for position, key in enumerate(_VALIDATION):
                    more = _read_array(archive, key, path)
                    arrays[position] = np.concatenate([arrays[position], more])
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise BadInput(f"{path}: expected an intact .npz file, got {error}") from error
    return as_arrays(path, *arrays)


def _read_array(archive: zipfile.ZipFile, key: str, path: Path) -> npt.NDArray[np.generic]:
    with archive.open(f"{key}.npy") as file:
        read_header = (
            np.lib.format.read_array_header_1_0
            if np.lib.format.read_magic(file) == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, is_fortran, dtype = read_header(file)
        # Checked before memory is allocated: the header of a hostile file may announce anything.
        row_bytes = int(np.prod(shape[1:], dtype=object)) * dtype.itemsize
        if dtype.kind not in "iu" or not shape or shape[0] > MAX_ROWS:
            raise BadInput(f"{path}: {key}: expected integers, got {dtype} of shape {shape}")
        if row_bytes > _MAX_IMAGE_BYTES:
            raise BadInput(
                f"{path}: {key}: expected {SIDE} x {SIDE} grayscale images (uint8), got {dtype} of "
                f"shape {shape}"
            )
        content = file.read(shape[0] * row_bytes)
        order = "F" if is_fortran else "C"
        return np.frombuffer(content, dtype).reshape(shape, order=order)  # type: ignore[call-overload]
