"""Which arrays each backbone holds, by layer: what its weights files are checked against.

`python -m fmnist.models.layouts > fmnist/models/layouts.json` writes them anew from Keras.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fmnist.models.backbones import BACKBONES

if TYPE_CHECKING:
    import keras

Shape = tuple[int, ...]
Layout = Mapping[str, tuple[Shape, ...]]


def layout(backbone: str) -> Layout:
    """From layer name to the shapes of its arrays, in Keras's order of layers and arrays."""
    stored = json.loads(Path(__file__).with_suffix(".json").read_text())[backbone]
    return {name: tuple(tuple(shape) for shape in shapes) for name, shapes in stored.items()}


def layout_of(model: "keras.Model") -> Layout:
    """The same of a model that Keras has built."""
    return {
        plain(layer.name): tuple(tuple(weight.shape) for weight in layer.weights)
        for layer in model.layers
        if layer.weights
    }


def plain(layer: str) -> str:
    """The layer's name without the number that Keras adds to a name it had to invent."""
    return re.sub(r"^(normalization)_\d+$", r"\1", layer)


def _text() -> str:
    """One line a layer, so that a change can be read."""
    import keras

    networks = []
    for name, backbone in BACKBONES.items():
        build = getattr(keras.applications, backbone.application)
        found = layout_of(build(weights=None, include_top=False))
        lines = ",\n".join(f'  "{layer}": {json.dumps(shapes)}' for layer, shapes in found.items())
        networks.append(f' "{name}": {{\n{lines}\n }}')
    return "{\n" + ",\n".join(networks) + "\n}\n"


if __name__ == "__main__":
    print(_text(), end="")
