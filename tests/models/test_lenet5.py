"""LeNet-5 is the report's network, and takes the files' own pixels."""

import keras
import numpy as np
import pytest

from fmnist.models.factory import SPECS
from fmnist.models.lenet5 import lenet5
from fmnist.models.summary import parameters, summary

IMAGES = np.random.default_rng(0).integers(0, 256, size=(20, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_it_has_the_reports_parameters(dropout: float) -> None:
    model = SPECS["lenet5"].build(dropout, 0, False)
    assert model.count_params() == 44_426
    assert set(parameters(model).values()) == {44_426}
    assert "44,426" in summary(model)


def test_pixels_go_in_and_probabilities_come_out() -> None:
    model = lenet5(0.0, seed=0)
    assert (model.input.dtype, model.input.shape) == ("uint8", (None, 28, 28))
    answers = model.predict(IMAGES, verbose=0)
    assert (answers.dtype, answers.shape) == (np.float32, (20, 10))
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_pixels_are_scaled_inside() -> None:
    model = lenet5(0.0, seed=0)
    scaled = keras.Model(model.input, model.get_layer("scale").output)(IMAGES)
    np.testing.assert_allclose(scaled, IMAGES / 255, atol=1e-6)


def test_normalized_pixels_have_mean_0_and_deviation_1_over_the_training_images() -> None:
    model = lenet5(0.0, seed=0, normalize=True)
    scaled = keras.Model(model.input, model.get_layer("scale").output)(IMAGES)
    np.testing.assert_allclose(scaled, (IMAGES - 72.940) / 90.021, atol=1e-5)


def test_the_seed_decides_the_start() -> None:
    first, same, other = lenet5(0.4, 7), lenet5(0.4, 7), lenet5(0.4, 8)
    assert all(map(np.array_equal, first.get_weights(), same.get_weights()))
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_no_two_layers_start_alike() -> None:
    seeds = [layer.kernel_initializer.seed for layer in lenet5(0.0, 0).layers if layer.weights]
    assert len(set(seeds)) == 5


def test_only_training_drops_units() -> None:
    model = lenet5(0.9, seed=0)
    assert [layer.rate for layer in model.layers if "dropout" in layer.name] == [0.9, 0.9]
    calm = model(IMAGES, training=False)
    np.testing.assert_array_equal(calm, model(IMAGES, training=False))
    assert not np.allclose(calm, model(IMAGES, training=True))


def test_it_loads_back_in_safe_mode(tmp_path) -> None:
    model = lenet5(0.4, seed=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        model.predict(IMAGES, verbose=0), loaded.predict(IMAGES, verbose=0)
    )
