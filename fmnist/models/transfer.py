"""Transfer learning: a frozen backbone that extracts features, and a small head on top.

The heads are those of the reference report: Flatten, Dense 256 with ReLU, Dropout, Dense 10
(the number of classes).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fmnist.models import weights
from fmnist.models.backbones import Backbone, FeatureLayers, InputScaling
from fmnist.results.training import CLASSES

if TYPE_CHECKING:
    import keras

HIDDEN_UNITS: Final = 256
# Of the moving averages that standardize features; Keras's default of 0.99 needs hundreds of steps.
_MOMENTUM: Final = 0.9


@dataclass(frozen=True, eq=False)
class Transfer:
    """A backbone, its weights and its input.

    Args:
        weights: value of the option `weights`.
        side: images are resized to this many pixels a side.
        input_scaling: `imagenet` for the range the ImageNet weights expect, `unit` for 0..1.
        feature_layers: `last` for the flattened last block, `multi` for the concatenated spatial
            means of all blocks, `grid` for the means over the four quarters of each block.
        seed: seed of the backbone's weights if `weights` is `none`.
        known_digest: digest of the weights if another process has computed it.
    """

    backbone: Backbone
    weights: str
    side: int
    input_scaling: InputScaling
    feature_layers: FeatureLayers
    seed: int
    known_digest: str = ""

    @cached_property
    def extractor(self) -> "keras.Model":
        """Frozen model from uint8 images (n, 28, 28) to float32 features (n, d)."""
        import keras
        from keras import layers

        from fmnist.models.preprocessing import prepare_backbone_input

        images = keras.Input((28, 28), dtype="uint8", name="images")
        x = prepare_backbone_input(images, self.side, self.input_scaling, self.backbone.scaling)
        # Batch normalization stays in inference mode, even in blocks that are unfrozen later.
        outputs = self._network(x, training=False)
        if self.feature_layers == "last":
            features = layers.Flatten(name="features")(outputs)
        else:
            means = [
                self._pool(output, f"{name}_mean")
                for name, output in zip(self.backbone.blocks, outputs, strict=True)
            ]
            features = layers.Concatenate(name="features")(means)
        return keras.Model(images, features, name=f"{self.backbone.name}_features")

    def _pool(self, output: Any, name: str) -> Any:
        """Average the positions of a block, or those of each quarter (overlapping if odd)."""
        from keras import layers

        if self.feature_layers == "multi":
            return layers.GlobalAveragePooling2D(name=name)(output)
        side = output.shape[1]
        window = (side + 1) // 2
        means = layers.AveragePooling2D(window, max(side - window, 1), name=name)(output)
        return layers.Flatten(name=f"{name}_features")(means)

    @cached_property
    def weights_digest(self) -> str:
        """32 hexadecimal digits over the backbone's weights; loads them unless it is known."""
        return self.known_digest or weights.digest(self._full_network)

    def build_head(
        self, dropout: float, seed: int, normalize: bool = False, classes: int = CLASSES
    ) -> "keras.Model":
        """Untrained head from float32 features (n, d) to class probabilities (n, classes).

        Args:
            normalize: standardize the features, with the moving averages of batch normalization.
        """
        import keras
        from keras import layers
        from keras.initializers import GlorotUniform

        seeds = np.random.SeedSequence(seed).generate_state(3).tolist()
        hidden, last = GlorotUniform(seed=seeds[0]), GlorotUniform(seed=seeds[2])
        x = features = keras.Input(self.extractor.output.shape[1:], name="features")
        if normalize:
            x = layers.BatchNormalization(
                momentum=_MOMENTUM, center=False, scale=False, name="standardize"
            )(x)
        dense1 = layers.Dense(
            HIDDEN_UNITS, activation="relu", kernel_initializer=hidden, name="dense1"
        )
        x = dense1(x)
        if dropout:
            x = layers.Dropout(dropout, seed=seeds[1], name="dropout1")(x)
        probabilities = layers.Dense(
            classes, activation="softmax", kernel_initializer=last, name="probabilities"
        )
        return keras.Model(features, probabilities(x), name=f"{self.backbone.name}_head")

    def attach(self, head: "keras.Model") -> "keras.Model":
        """Model from images to probabilities that shares the weights of extractor and head."""
        import keras

        x = self.extractor.output
        for layer in head.layers[1:]:
            x = layer(x)
        return keras.Model(self.extractor.input, x, name=self.backbone.name)

    def unfreeze(self, blocks: int) -> None:
        """Make the last blocks trainable, except for batch normalization."""
        import keras

        names = [layer.name for layer in self._network.layers]
        last_frozen = -1
        if blocks < len(self.backbone.blocks):
            last_frozen = names.index(self.backbone.blocks[-blocks - 1])
        self._network.trainable = True
        for position, layer in enumerate(self._network.layers):
            fixed = isinstance(layer, keras.layers.BatchNormalization | keras.layers.Normalization)
            layer.trainable = position > last_frozen and not fixed

    @cached_property
    def _full_network(self) -> "keras.Model":
        network = weights.load_backbone(self.backbone, self.weights, self.side, self.seed)
        network.trainable = False
        return network

    @cached_property
    def _network(self) -> "keras.Model":
        """The backbone with the outputs that are used."""
        network = self._full_network
        if self.feature_layers != "last":
            import keras

            outputs = [network.get_layer(name).output for name in self.backbone.blocks]
            network = keras.Model(network.input, outputs, name=self.backbone.name)
            network.trainable = False
        return network
