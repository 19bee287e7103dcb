"""Weights out of the files that Keras writes, by layer, without Keras.

Three forms: `.weights.h5` of Keras 3, legacy `.h5` (weights alone or a whole model), and `.keras`,
an archive around the first. Layers are told apart by name, however deep a model nests them.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
import numpy.typing as npt

from fmnist.errors import BadInput
from fmnist.models.layouts import Layout, plain

Arrays = Mapping[str, tuple[npt.NDArray[np.float32], ...]]

_INNER: Final = "model.weights.h5"
# The largest network of Keras Applications has 1.4 GB of weights; an archive that claims more is
# not unpacked into memory.
_LARGEST_INNER: Final = 2 << 30


def read(path: Path, layout: Layout, *, beyond: tuple[str, ...] = ()) -> Arrays:
    """The arrays that `layout` asks for, float32, from layer name to arrays in its order.

    Beyond them the file may hold dense layers (a top), and layers whose names start with a prefix
    in `beyond`; other layers, or other shapes, make it the file of another network.

    Raises:
        BadInput: it cannot be read, is damaged, or is not of this layout.
    """
    try:
        with _opened(path) as file:
            found = dict(_stored(file))
            _check(path, found, layout, beyond)
            arrays = {
                layer: tuple(np.asarray(array[()], dtype=np.float32) for array in found[layer])
                for layer in layout
            }
    except (OSError, RuntimeError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(
            f"{path}: wanted a weights file of Keras (.weights.h5, .h5 or .keras), "
            f"got one that cannot be read ({error}); fetch or save it again"
        ) from error
    for layer, values in arrays.items():
        if not all(np.isfinite(array).all() for array in values):
            raise BadInput(
                f"{path}: {layer}: wanted finite weights, got NaN or infinity; "
                "the file is damaged: fetch or save it again"
            )
    return arrays


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not zipfile.is_zipfile(path):
        with h5py.File(path) as file:
            yield file
        return
    with zipfile.ZipFile(path) as archive:
        if (size := archive.getinfo(_INNER).file_size) > _LARGEST_INNER:
            raise ValueError(f"{_INNER} in it claims {size:,} bytes")
        content = io.BytesIO(archive.read(_INNER))
    with h5py.File(content) as file:
        yield file


def _stored(file: Any) -> Iterator[tuple[str, list[Any]]]:
    """(layer name, its stored arrays in order) of each layer that has any."""
    root = file.get("model_weights", file)
    if "layer_names" in root.attrs:
        yield from _legacy(root).items()
        return
    groups: list[Any] = []
    file.visititems(lambda name, item: groups.append(item) if "name" in item.attrs else None)
    for group in groups:
        # The arrays of a layer are numbered; each such group carries its layer's name.
        if arrays := [group[key] for key in sorted(group, key=int)]:
            yield plain(str(group.attrs["name"])), arrays


def _legacy(root: Any) -> dict[str, list[Any]]:
    layers: dict[str, list[Any]] = {}
    for outer in map(_text, root.attrs["layer_names"]):
        group = root[outer]
        for name in map(_text, group.attrs["weight_names"]):
            # `LAYER/kernel`, deeper in nested models; a bare name in the oldest files.
            *_, layer, _ = (outer, *name.split("/"))
            layers.setdefault(plain(layer), []).append(group[name])
    return layers


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _check(path: Path, found: Mapping[str, list[Any]], layout: Layout, beyond: Any) -> None:
    remedy = "give a file of this network"
    missing = [layer for layer in layout if layer not in found]
    if missing:
        raise BadInput(
            f"{path}: wanted {len(layout)} layers, among them {missing[0]}, got {len(found)} and "
            f"none of that name (missing in all: {len(missing)}); {remedy}"
        )
    for layer, wanted in layout.items():
        shapes = tuple(tuple(array.shape) for array in found[layer])
        if shapes != wanted:
            raise BadInput(
                f"{path}: {layer}: wanted {_shown(wanted)}, got {_shown(shapes)}; {remedy}"
            )
    for layer, arrays in found.items():
        known = layer in layout or layer.startswith(beyond)
        if not known and any(array.ndim > 2 for array in arrays):
            raise BadInput(
                f"{path}: wanted no convolution beyond the {len(layout)} layers of this network, "
                f"got {layer}; {remedy}"
            )


def _shown(shapes: tuple[tuple[int, ...], ...]) -> str:
    return " and ".join(map(str, shapes)) or "no arrays"
