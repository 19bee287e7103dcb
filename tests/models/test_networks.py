"""LeNet-5 and convnet have the documented architecture, seeds and input."""

import keras
import numpy as np
import pytest

from fmnist import names
from fmnist.models.convnet import convnet
from fmnist.models.factory import ModelSpec
from fmnist.models.lenet5 import lenet5
from fmnist.training.data_parallel import MicrobatchModel
from fmnist.training.report import format_summary, size_metrics

IMAGES = np.random.default_rng(0).integers(0, 256, size=(20, 28, 28), dtype=np.uint8)


def scale_pixels(normalize: bool) -> np.ndarray:
    model = lenet5(0.0, seed=0, normalize=normalize)
    return keras.Model(model.input, model.get_layer("scale").output)(IMAGES).numpy()


@pytest.mark.parametrize(("name", "parameters"), [("lenet5", 44_426), ("convnet", 464_810)])
def test_parameters_input_and_output(name: str, parameters: int) -> None:
    model = ModelSpec(name).build(0.4, 0)
    assert size_metrics(model)[names.PARAMETERS_TOTAL] == parameters
    assert f"{parameters:,}" in format_summary(model)
    assert (model.input.dtype, model.input.shape) == ("uint8", (None, 28, 28))
    probabilities = model.predict(IMAGES, verbose=0)
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (20, 10))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_pixels_are_scaled_inside_the_model() -> None:
    np.testing.assert_allclose(scale_pixels(normalize=False), IMAGES / 255, atol=1e-6)
    normalized = (IMAGES - 72.940) / 90.021
    np.testing.assert_allclose(scale_pixels(normalize=True), normalized, atol=1e-5)


@pytest.mark.parametrize("build", [lenet5, convnet])
def test_the_seed_determines_the_initial_weights(build) -> None:
    first, same, other = (build(0.4, seed).get_weights() for seed in (7, 7, 8))
    assert all(map(np.array_equal, first, same))
    assert not np.array_equal(first[0], other[0])
    kernels = [layer.kernel.numpy() for layer in build(0.0, 0).layers if hasattr(layer, "kernel")]
    assert len({float(kernel.ravel()[0]) for kernel in kernels}) == len(kernels)


def test_kernels_of_convnet_have_the_standard_deviation_of_he_et_al() -> None:
    for layer in convnet(0.0, 0).layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = layer.kernel.numpy()
            assert np.isclose(kernel.std(), np.sqrt(2 / np.prod(kernel.shape[:3])), rtol=0.1)


def test_units_are_dropped_in_training_only() -> None:
    model = lenet5(0.9, seed=0)
    assert [layer.rate for layer in model.layers if "dropout" in layer.name] == [0.9, 0.9]
    predicted = model(IMAGES, training=False)
    np.testing.assert_array_equal(predicted, model(IMAGES, training=False))
    assert not np.allclose(predicted, model(IMAGES, training=True))


def test_each_half_batch_updates_the_moving_means() -> None:
    """Two updates per step with momentum 0.99, one towards the mean of each half."""
    model = convnet(0.0, seed=0)
    stem = keras.Model(model.input, model.get_layer("stem").output)
    means = [stem.predict(half, verbose=0).mean((0, 1, 2)) for half in (IMAGES[:10], IMAGES[10:])]
    trainer = MicrobatchModel(model.input, model.output)
    trainer.compile(keras.optimizers.SGD(0.0), "categorical_crossentropy", jit_compile=False)
    trainer.train_on_batch(IMAGES, np.eye(10, dtype=np.float32)[np.arange(20) % 10])
    expected = 0.99 * 0.01 * means[0] + 0.01 * means[1]
    moving_mean = model.get_layer("stem_norm").moving_mean.numpy()
    np.testing.assert_allclose(moving_mean, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("build", [lenet5, convnet])
def test_a_saved_model_loads_in_safe_mode(build, tmp_path) -> None:
    model = build(0.4, seed=0, normalize=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        model.predict(IMAGES, verbose=0), loaded.predict(IMAGES, verbose=0)
    )
