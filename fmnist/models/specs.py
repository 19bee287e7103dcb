"""The table of networks that a user can name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fmnist.models.transfer import Transfer

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ModelSpec:
    """One row of the table.

    Args:
        name: what the option `model` calls it.
        build: from (dropout, seed) to an untrained, uncompiled model that takes uint8 images
            (n, 28, 28) and gives float32 class probabilities (n, 10).
        transfer: its parts, where it is a frozen backbone with a head; None for a network that is
            trained in full.
    """

    name: str
    build: "Callable[[float, int], keras.Model]"
    transfer: Transfer | None = None


def _lenet5(dropout: float, seed: int) -> "keras.Model":
    from fmnist.models.lenet import lenet5  # with Keras, which options are checked without

    return lenet5(dropout, seed)


# What needs no more than its name; `with_backbone` makes the others.
SPECS: Final[Mapping[str, ModelSpec]] = {
    spec.name: spec for spec in (ModelSpec("lenet5", _lenet5),)
}


def with_backbone(parts: Transfer) -> ModelSpec:
    """The row of a frozen backbone with a head."""

    def build(dropout: float, seed: int) -> "keras.Model":
        return parts.whole(parts.head(dropout, seed))

    return ModelSpec(parts.backbone.name, build, parts)
