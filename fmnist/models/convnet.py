"""Compact residual network with batch normalization, 464,810 parameters for 10 classes.

Sources: He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (2016) for the
blocks, "Delving deep into rectifiers" (2015) for the initial weights; Ioffe and Szegedy, "Batch
normalization" (2015).
"""

from collections.abc import Iterator
from typing import Any, Final

import keras
import numpy as np
from keras import layers
from keras.initializers import GlorotUniform, HeNormal

from fmnist.models.preprocessing import scale_pixels
from fmnist.results.training import CLASSES

# Channels at 28 x 28 pixels, then (channels, residual blocks) at 14 x 14 and at 7 x 7. On a CPU,
# normalizing many pixels with few channels costs about as much as the convolution, so most work is
# done at low resolution. (Pooling after a stride-1 convolution of 64 channels at 28 x 28, instead
# of a stride of 2, made a step three times as long.)
_STEM: Final = 32
_STAGES: Final = ((64, 1), (128, 1))


def convnet(
    dropout: float, seed: int, normalize: bool = False, classes: int = CLASSES
) -> keras.Model:
    """Untrained network from uint8 images (n, 28, 28) to float32 probabilities (n, classes).

    Args:
        dropout: fraction of the pooled features dropped before the last layer; 0 for no dropout.
        seed: seed of the initial weights and of the dropout masks.
        normalize: scale pixels to mean 0 and standard deviation 1 instead of 0..1.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(32).tolist())
    images = keras.Input((28, 28), dtype="uint8", name="images")
    x = scale_pixels(images, normalize)
    x = _conv_block(x, _STEM, "stem", seeds)
    for number, (channels, blocks) in enumerate(_STAGES, start=1):
        x = _conv_block(x, channels, f"stage{number}", seeds, strides=2)
        for block in range(1, blocks + 1):
            name = f"stage{number}_block{block}"
            y = _conv_block(x, channels, f"{name}_first", seeds)
            y = _conv_block(y, channels, f"{name}_second", seeds)
            x = layers.Add(name=f"{name}_sum")([x, y])
    x = layers.GlobalAveragePooling2D(name="features")(x)
    if dropout:
        x = layers.Dropout(dropout, seed=next(seeds), name="dropout")(x)
    probabilities = layers.Dense(
        classes,
        activation="softmax",
        kernel_initializer=GlorotUniform(seed=next(seeds)),
        name="probabilities",
    )(x)
    return keras.Model(images, probabilities, name="convnet")


def _conv_block(x: Any, channels: int, name: str, seeds: Iterator[int], strides: int = 1) -> Any:
    """3 x 3 convolution, batch normalization, ReLU."""
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
