"""All tests of this folder use TensorFlow; a network and its weights files."""

from pathlib import Path

import h5py
import keras
import pytest
from keras.src.legacy.saving import legacy_h5_format


@pytest.fixture(autouse=True)
def _started(tensorflow: None) -> None:
    pass


@pytest.fixture(scope="session")
def mobilenet(tensorflow: None) -> keras.Model:
    keras.utils.set_random_seed(5)
    return keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))


@pytest.fixture(scope="session")
def weights_files(mobilenet, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The weights of MobileNetV2 in every format that Keras has used."""
    folder = tmp_path_factory.mktemp("weights")
    names = ("new.weights.h5", "archive.keras", "whole_model.h5", "old_weights.h5")
    files = {name: folder / name for name in names}
    mobilenet.save_weights(files["new.weights.h5"])
    mobilenet.save(files["archive.keras"])
    legacy_h5_format.save_model_to_hdf5(mobilenet, str(files["whole_model.h5"]))
    with h5py.File(files["old_weights.h5"], "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, mobilenet)
    return files
