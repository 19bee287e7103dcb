"""The networks that the option `model` names."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fmnist import names
from fmnist.models import weights
from fmnist.models.backbones import BACKBONES
from fmnist.models.transfer import Transfer
from fmnist.options import Configuration, Options, configuration
from fmnist.options.train import FROM_SCRATCH, ModelOptions, model_title
from fmnist.results.training import CLASSES

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ModelSpec:
    """One network.

    Args:
        name: value of the option `model`.
        transfer: backbone and head of a transfer model, None for a network trained from scratch.
    """

    name: str
    transfer: Transfer | None = None

    def build(
        self, dropout: float, seed: int, normalize: bool = False, classes: int = CLASSES
    ) -> "keras.Model":
        """Untrained model from uint8 images (n, 28, 28) to float32 probabilities (n, classes).

        Args:
            normalize: standardize the pixels, or the features of a backbone.
        """
        if self.transfer:
            head = self.transfer.build_head(dropout, seed, normalize, classes)
            return self.transfer.attach(head)
        from fmnist.models.convnet import convnet
        from fmnist.models.lenet5 import lenet5

        networks = {"lenet5": lenet5, "convnet": convnet}
        return networks[self.name](dropout, seed, normalize, classes)

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
        if self.transfer:
            data_digest += weights.file_digest(self.transfer.weights, self.transfer.backbone)
        return configuration(options, data_digest)

    def copy(self, weights_digest: str = "") -> "ModelSpec":
        """The same spec without the networks that it has built and perhaps trained."""
        if self.transfer is None:
            return self
        known_digest = weights_digest or self.transfer.known_digest
        return replace(self, transfer=replace(self.transfer, known_digest=known_digest))


def create_spec(options: ModelOptions) -> ModelSpec:
    """Create the spec of the network that the options name, validated without TensorFlow.

    Raises:
        BadInput: the weights of the backbone are not available.
    """
    if options.model in FROM_SCRATCH:
        return ModelSpec(options.model)
    backbone = BACKBONES[options.model]
    weights.check_available(options.weights, backbone)
    transfer = Transfer(
        backbone,
        options.weights,
        options.input_size,
        options.input_scaling,
        options.feature_layers,
        options.split_seed,  # so that runs with any seed share the features
    )
    return ModelSpec(options.model, transfer)
