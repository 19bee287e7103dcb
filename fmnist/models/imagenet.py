"""ImageNet weights as Keras itself fetches, checks and caches them."""

import os
import socket
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fmnist.errors import BadInput
from fmnist.models.backbones import Backbone

if TYPE_CHECKING:
    import keras

_HOST: Final = "storage.googleapis.com"
_CONNECT_SECONDS: Final = 3


def check_in_reach(backbone: Backbone) -> None:
    """Return when Keras has the file in its cache, or when its server can be reached.

    A first look, within seconds and before TensorFlow is imported; Keras itself checks the file.

    Raises:
        BadInput: neither; the message names the alternatives.
    """
    if cached_file(backbone).is_file() or "https" in urllib.request.getproxies():
        return
    try:
        socket.create_connection((_HOST, 443), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise BadInput(_message(backbone, f"{_HOST} cannot be reached: {error}")) from error


def downloaded(
    backbone: Backbone, build: "Callable[..., keras.Model]", shape: tuple[int, int, int]
) -> "keras.Model":
    """The backbone with its ImageNet weights, fetched unless Keras has them.

    Raises:
        BadInput: they cannot be fetched, or are not what Keras expects.
    """
    with warnings.catch_warnings():
        # MobileNetV2 says that it takes the weights of 224 x 224, the only ones for other sides.
        warnings.filterwarnings("ignore", message=".*`input_shape` is undefined or non-square")
        try:
            return build(weights="imagenet", include_top=False, input_shape=shape)
        # Keras raises bare exceptions for a failed download, and what h5py raises for a bad file.
        except Exception as error:
            raise BadInput(_message(backbone, str(error))) from error


def cached_file(backbone: Backbone) -> Path:
    """Where Keras keeps the file of these weights, whether or not it is there."""
    home = os.path.expanduser("~")
    folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")  # noqa: S108
    return Path(os.environ.get("KERAS_HOME", folder), "models", backbone.imagenet_file)


def _message(backbone: Backbone, reason: str) -> str:
    hed = "weights=hed-bsds500, " if backbone.name == "vgg16" else ""
    return (
        f"weights=imagenet: wanted Keras's {backbone.imagenet_file}, could not have it ({reason}); "
        f"put that file at {cached_file(backbone)}, or use {hed}weights=FILE or weights=none"
    )
