"""The table of networks that a user can name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import keras

from fmnist.models.lenet import lenet5


@dataclass(frozen=True)
class ModelSpec:
    """One row of the table.

    Args:
        name: what the option `model` calls it.
        build: from (dropout, seed) to an untrained, uncompiled model that takes uint8 images
            (n, 28, 28) and gives float32 class probabilities (n, 10).
    """

    name: str
    build: Callable[[float, int], keras.Model]


SPECS: Final[Mapping[str, ModelSpec]] = {spec.name: spec for spec in (ModelSpec("lenet5", lenet5),)}
