"""LeNet-5 of the reference report: ReLU, max pooling, softmax; 44,426 parameters for 10 classes.

Source of the architecture: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to
document recognition", Proceedings of the IEEE 86 (1998).
"""

import keras
import numpy as np
from keras import layers
from keras.initializers import GlorotUniform

from fmnist.models.preprocessing import scale_pixels
from fmnist.results.training import CLASSES


def lenet5(
    dropout: float, seed: int, normalize: bool = False, classes: int = CLASSES
) -> keras.Model:
    """Untrained LeNet-5 from uint8 images (n, 28, 28) to float32 probabilities (n, classes).

    Args:
        dropout: fraction of units dropped after each hidden dense layer; 0 for no dropout.
        seed: seed of the initial weights and of the dropout masks.
        normalize: scale pixels to mean 0 and standard deviation 1 instead of 0..1.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(7).tolist())

    def initializer() -> GlorotUniform:
        return GlorotUniform(seed=next(seeds))

    images = keras.Input((28, 28), dtype="uint8", name="images")
    x = scale_pixels(images, normalize)
    x = layers.Conv2D(6, 5, activation="relu", kernel_initializer=initializer(), name="conv1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(16, 5, activation="relu", kernel_initializer=initializer(), name="conv2")(x)
    x = layers.MaxPooling2D(name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    for number, units in enumerate((120, 84), start=1):
        dense = layers.Dense(
            units, activation="relu", kernel_initializer=initializer(), name=f"dense{number}"
        )
        x = dense(x)
        if dropout:
            x = layers.Dropout(dropout, seed=next(seeds), name=f"dropout{number}")(x)
    probabilities = layers.Dense(
        classes, activation="softmax", kernel_initializer=initializer(), name="probabilities"
    )(x)
    return keras.Model(images, probabilities, name="lenet5")
