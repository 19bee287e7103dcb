"""Transfer learning in parts: a frozen backbone that turns images into features, a head on them.

Source of the heads: the report's two transfer models (Flatten, Dense 256 ReLU, Dropout, Dense 10).
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from fmnist.errors import BadInput
from fmnist.models import weights
from fmnist.models.backbones import BACKBONES, Backbone, InputScaling
from fmnist.models.weight_files import Arrays

if TYPE_CHECKING:
    import keras

FeatureLayers = Literal["last", "multi"]

HIDDEN_UNITS: Final = 256


@dataclass(frozen=True, eq=False)
class Transfer:
    """A backbone with its weights and what it is fed; made by `transfer`, which checks it all.

    Args:
        backbone: the row of the table.
        source: where its weights come from, as the option `weights` says it.
        arrays: the weights, where they are known without Keras.
        side: to which images are resized, in pixels.
        input_scaling: `imagenet` for the backbone's own, `unit` for 0..1.
        feature_layers: `last` for the flattened last block, `multi` for the averages over all
            positions of every block's output, side by side.
        seed: draws the weights where `source` is `none`.
        digest: of the weights, where it is known already.
    """

    backbone: Backbone
    source: str
    arrays: Arrays | None = field(repr=False)
    side: int
    input_scaling: InputScaling
    feature_layers: FeatureLayers
    seed: int
    digest: str = ""

    @cached_property
    def extractor(self) -> "keras.Model":
        """From uint8 images (n, 28, 28) to float32 features (n, d); nothing in it is trained."""
        import keras
        from keras import layers

        from fmnist.models.preprocessing import prepared

        network = self._network
        images = keras.Input((28, 28), dtype="uint8", name="images")
        x = prepared(images, self.side, self.input_scaling, self.backbone.scaling)
        # Batch normalization stays in inference mode, even in blocks that are unfrozen later.
        outputs = network(x, training=False)
        if self.feature_layers == "last":
            features = layers.Flatten(name="features")(outputs)
        else:
            pooled = [
                layers.GlobalAveragePooling2D(name=f"{n}_mean")(y)
                for n, y in zip(self.backbone.blocks, outputs, strict=True)
            ]
            features = layers.Concatenate(name="features")(pooled)
        return keras.Model(images, features, name=f"{self.backbone.name}_features")

    @cached_property
    def weights_digest(self) -> str:
        """32 hexadecimal digits over the weights that are in the backbone."""
        return self.digest or weights.digest(self.arrays or weights.arrays_of(self._network))

    @property
    def file_digest(self) -> str:
        """Of weights that were read from a file; empty where the options alone decide them.

        Unlike `weights_digest` it is known without TensorFlow.
        """
        return weights.digest(self.arrays) if self.arrays else ""

    def head(self, dropout: float, seed: int) -> "keras.Model":
        """An untrained head from float32 features (n, d) to class probabilities (n, 10)."""
        import keras
        from keras import layers
        from keras.initializers import GlorotUniform

        seeds = np.random.SeedSequence(seed).generate_state(3).tolist()
        features = keras.Input(self.extractor.output.shape[1:], name="features")
        x: Any = layers.Dense(
            HIDDEN_UNITS,
            activation="relu",
            kernel_initializer=GlorotUniform(seed=seeds[0]),
            name="dense1",
        )(features)
        if dropout:
            x = layers.Dropout(dropout, seed=seeds[1], name="dropout1")(x)
        probabilities = layers.Dense(
            10,
            activation="softmax",
            kernel_initializer=GlorotUniform(seed=seeds[2]),
            name="probabilities",
        )(x)
        return keras.Model(features, probabilities, name=f"{self.backbone.name}_head")

    def whole(self, head: "keras.Model") -> "keras.Model":
        """The extractor with this head on top, sharing the weights of both."""
        import keras

        x = self.extractor.output
        for layer in head.layers[1:]:
            x = layer(x)
        return keras.Model(self.extractor.input, x, name=self.backbone.name)

    def unfreeze(self, blocks: int) -> None:
        """Let training change the last blocks, batch normalization aside."""
        import keras

        inner = self._network
        names = [layer.name for layer in inner.layers]
        end_of_frozen = -1
        if blocks < len(self.backbone.blocks):
            end_of_frozen = names.index(self.backbone.blocks[-blocks - 1])
        inner.trainable = True
        for position, layer in enumerate(inner.layers):
            fixed = isinstance(layer, keras.layers.BatchNormalization | keras.layers.Normalization)
            layer.trainable = position > end_of_frozen and not fixed

    @cached_property
    def _network(self) -> "keras.Model":
        import keras

        whole = weights.built(self.backbone, self.source, self.arrays, self.side, self.seed)
        whole.trainable = False
        if self.feature_layers == "last":
            return whole
        outputs = [whole.get_layer(name).output for name in self.backbone.blocks]
        network = keras.Model(whole.input, outputs, name=self.backbone.name)
        network.trainable = False
        return network


def transfer(
    model: str,
    source: str,
    side: int,
    input_scaling: InputScaling,
    feature_layers: FeatureLayers,
    seed: int,
) -> Transfer:
    """The transfer model of these options, checked as far as can be without TensorFlow.

    Raises:
        BadInput: `side` is too small for the backbone, or its weights cannot be used.
    """
    backbone = BACKBONES[model]
    if side < backbone.minimum_side:
        raise BadInput(
            f"input_size={side}: {model} takes images of at least {backbone.minimum_side} x "
            f"{backbone.minimum_side} pixels; use input_size={backbone.minimum_side} or more"
        )
    arrays = weights.find(source, backbone)
    return Transfer(backbone, source, arrays, side, input_scaling, feature_layers, seed)
