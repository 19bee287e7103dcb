"""The table of networks that a user can name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from fmnist import names
from fmnist.models.backbones import InputScaling
from fmnist.models.transfer import FeatureLayers, Transfer, transfer
from fmnist.options import Configuration, Options, configuration
from fmnist.options.train import model_title

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ModelSpec:
    """One row of the table.

    Args:
        name: what the option `model` calls it.
        build: from (dropout, seed, normalize) to an untrained, uncompiled model that takes uint8
            images (n, 28, 28) and gives float32 class probabilities (n, 10); a backbone has a
            scaling of its own and does not listen to `normalize`.
        transfer: its parts, where it is a frozen backbone with a head; None for a network that is
            trained in full.
    """

    name: str
    build: "Callable[[float, int, bool], keras.Model]"
    transfer: Transfer | None = None

    @property
    def title(self) -> str:
        """What people read it is called."""
        return model_title(self.name, self.transfer.source if self.transfer else "")

    def configuration(self, options: Options, data_digest: str) -> Configuration:
        """The configuration of a run with these options: weights from a file count as data."""
        files = self.transfer.file_digest if self.transfer else ""
        return configuration(options, data_digest + files)

    @property
    def tags(self) -> dict[str, str]:
        """What a run says of the network it trains."""
        tags = {names.TAG_MODEL: self.name}
        if self.transfer:
            tags[names.TAG_WEIGHTS] = self.transfer.source
            tags[names.TAG_WEIGHTS_DIGEST] = self.transfer.weights_digest
        return tags


def _lenet5(dropout: float, seed: int, normalize: bool) -> "keras.Model":
    from fmnist.models.lenet5 import lenet5  # with Keras, which options are checked without

    return lenet5(dropout, seed, normalize)


def _convnet(dropout: float, seed: int, normalize: bool) -> "keras.Model":
    from fmnist.models.convnet import convnet

    return convnet(dropout, seed, normalize)


# What needs no more than its name; `spec` makes the others.
_OWN: Final = (ModelSpec("lenet5", _lenet5), ModelSpec("convnet", _convnet))
SPECS: Final[Mapping[str, ModelSpec]] = {row.name: row for row in _OWN}


class Asked(Protocol):
    """What a user asked for, as far as it decides the network; options of that name will do."""

    @property
    def model(self) -> str: ...
    @property
    def weights(self) -> str: ...
    @property
    def input_size(self) -> int: ...
    @property
    def input_scaling(self) -> InputScaling: ...
    @property
    def feature_layers(self) -> FeatureLayers: ...
    @property
    def seed(self) -> int: ...


def spec(asked: Asked) -> ModelSpec:
    """The network asked for, checked as far as can be without TensorFlow.

    Raises:
        BadInput: the images are too small for the backbone, or its weights cannot be used.
    """
    if asked.model in SPECS:
        return SPECS[asked.model]
    parts = transfer(
        asked.model,
        asked.weights,
        asked.input_size,
        asked.input_scaling,
        asked.feature_layers,
        asked.seed,
    )

    return _of(parts)


def anew(network: ModelSpec, weights_digest: str = "") -> ModelSpec:
    """The same network, built again when it is asked for: what was trained of it is forgotten.

    Args:
        weights_digest: of its weights, where it is known, so that nothing is built to tell it.
    """
    parts = network.transfer
    return _of(replace(parts, digest=weights_digest or parts.digest)) if parts else network


def _of(parts: Transfer) -> ModelSpec:
    def build(dropout: float, seed: int, _: bool) -> "keras.Model":
        return parts.whole(parts.head(dropout, seed))

    return ModelSpec(parts.backbone.name, build, parts)
