"""A compact residual network with batch normalization; fewer than 500,000 parameters.

Sources: He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (2016) for the
blocks; the same, "Delving deep into rectifiers" (2015) for the initial weights; Ioffe and Szegedy,
"Batch normalization" (2015).
"""

from collections.abc import Iterator
from typing import Any, Final

import keras
import numpy as np
from keras import layers
from keras.initializers import GlorotUniform, HeNormal

from fmnist.models.preprocessing import scaled

# Channels at 28 pixels a side, then channels and residual blocks at 14 and at 7: normalizing costs
# a processor about as much as multiplying where images are large and channels few, so most blocks'
# work is done where they are small. (Pooling after a convolution of 64 channels at 28 pixels, in
# place of stride 2 in it, made a step three times as long.)
_STEM: Final = 32
_STAGES: Final = ((64, 1), (128, 1))


def convnet(dropout: float, seed: int, normalize: bool = False) -> keras.Model:
    """An untrained network from uint8 images (n, 28, 28) to float32 class probabilities (n, 10).

    Args:
        dropout: share of the averaged features dropped before the last layer; 0 leaves it out.
        seed: decides the initial weights and the dropout mask.
        normalize: scale to mean 0 and deviation 1 instead of 0..1.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(32).tolist())
    images = keras.Input((28, 28), dtype="uint8", name="images")
    x = scaled(images, normalize)
    x = _convolved(x, _STEM, "stem", seeds)
    for number, (channels, blocks) in enumerate(_STAGES, start=1):
        x = _convolved(x, channels, f"stage{number}", seeds, strides=2)
        for block in range(1, blocks + 1):
            name = f"stage{number}_block{block}"
            y = _convolved(x, channels, f"{name}_first", seeds)
            y = _convolved(y, channels, f"{name}_second", seeds)
            x = layers.Add(name=f"{name}_sum")([x, y])
    x = layers.GlobalAveragePooling2D(name="features")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=next(seeds), name="dropout")(x)
    start = GlorotUniform(seed=next(seeds))
    probabilities = layers.Dense(
        10, activation="softmax", kernel_initializer=start, name="probabilities"
    )(x)
    return keras.Model(images, probabilities, name="convnet")


def _convolved(x: Any, channels: int, name: str, seeds: Iterator[int], strides: int = 1) -> Any:
    """A 3 x 3 convolution, normalized over its batch, and ReLU."""
    x = layers.Conv2D(
        channels,
        3,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer=HeNormal(seed=next(seeds)),
        name=name,
    )(x)
    x = layers.BatchNormalization(name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_relu")(x)
