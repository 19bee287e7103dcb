"""Registry of the networks that the option `model` names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from fmnist import names
from fmnist.models import weights
from fmnist.models.backbones import BACKBONES
from fmnist.models.transfer import Transfer
from fmnist.options import Configuration, Options, configuration
from fmnist.options.train import ModelOptions, model_title

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ModelSpec:
    """One network.

    Args:
        name: value of the option `model`.
        build: from (dropout, seed, normalize, classes) to an untrained, uncompiled model from uint8
            images (n, 28, 28) to float32 probabilities (n, classes). Backbones ignore `normalize`.
        transfer: backbone and head of a transfer model, None for a network trained from scratch.
    """

    name: str
    build: "Callable[[float, int, bool, int], keras.Model]"
    transfer: Transfer | None = None

    @property
    def title(self) -> str:
        """Name for figures and reports."""
        return model_title(self.name, self.transfer.weights if self.transfer else "")

    @property
    def tags(self) -> dict[str, str]:
        """Tags that describe the network; loads the backbone unless its digest is known."""
        tags = {names.TAG_MODEL: self.name}
        if self.transfer:
            tags[names.TAG_WEIGHTS] = self.transfer.weights
            tags[names.TAG_WEIGHTS_DIGEST] = self.transfer.weights_digest
        return tags

    def configuration(self, options: Options, data_digest: str) -> Configuration:
        """Configuration of a run with these options; a weights file counts as data."""
        file_digest = self.transfer.file_digest if self.transfer else ""
        return configuration(options, data_digest + file_digest)

    def copy(self, weights_digest: str = "") -> "ModelSpec":
        """The same spec without the networks that it has built and perhaps trained.

        Args:
            weights_digest: digest of the weights, if another process has computed it.
        """
        if self.transfer is None:
            return self
        known_digest = weights_digest or self.transfer.known_digest
        return _transfer_spec(replace(self.transfer, known_digest=known_digest))


def _build_lenet5(dropout: float, seed: int, normalize: bool, classes: int) -> "keras.Model":
    from fmnist.models.lenet5 import lenet5

    return lenet5(dropout, seed, normalize, classes)


def _build_convnet(dropout: float, seed: int, normalize: bool, classes: int) -> "keras.Model":
    from fmnist.models.convnet import convnet

    return convnet(dropout, seed, normalize, classes)


# Networks trained from scratch; `create_spec` adds the backbones of `backbones.BACKBONES`.
SPECS: Final[Mapping[str, ModelSpec]] = {
    "lenet5": ModelSpec("lenet5", _build_lenet5),
    "convnet": ModelSpec("convnet", _build_convnet),
}


def create_spec(options: ModelOptions) -> ModelSpec:
    """Create the spec of the network that the options name, validated without TensorFlow.

    Raises:
        BadInput: the weights of the backbone are not available.
    """
    if options.model in SPECS:
        return SPECS[options.model]
    transfer = Transfer(
        BACKBONES[options.model],
        options.weights,
        options.input_size,
        options.input_scaling,
        options.feature_layers,
        options.split_seed,  # so that runs with any seed share the features
    )
    weights.check_available(transfer.weights, transfer.backbone)
    return _transfer_spec(transfer)


def _transfer_spec(transfer: Transfer) -> ModelSpec:
    return ModelSpec(transfer.backbone.name, transfer.build, transfer)
