"""A small data set, and a backbone whose weights are in a file."""

from pathlib import Path

import numpy as np
import pytest

from fmnist.data import dataset


@pytest.fixture(scope="session")
def data(small_data_dir: Path) -> dataset.FashionMNIST:
    return dataset.load(str(small_data_dir), "auto")


@pytest.fixture(scope="session")
def weights(
    data: dataset.FashionMNIST, tensorflow: None, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A file of random weights of MobileNetV2 whose signal reaches the last layer.

    With the untrained statistics of its normalization layers, it would fade to nothing.
    """
    import keras

    keras.utils.set_random_seed(3)
    network = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    images = np.repeat(np.pad(data.train.images[:200], ((0, 0), (2, 2), (2, 2)))[..., None], 3, 3)
    network(images / 127.5 - 1, training=True)
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    network.save_weights(path)
    return str(path)
