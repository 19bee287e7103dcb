"""The compact network is what it says: small, seeded, standard layers, normalized as it learns."""

import keras
import numpy as np

from fmnist.models.convnet import convnet
from fmnist.models.factory import SPECS
from fmnist.training.data_parallel import MicrobatchModel

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)


def test_it_is_compact() -> None:
    model = SPECS["convnet"].build(0.0, 0, True)
    assert model.count_params() == 464_810
    answers = model.predict(IMAGES, verbose=0)
    assert (answers.dtype, answers.shape) == (np.float32, (20, 10))
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_the_seed_decides_the_start() -> None:
    first, same, other = (convnet(0.3, seed).get_weights() for seed in (7, 7, 8))
    assert all(map(np.array_equal, first, same))
    assert not np.array_equal(first[0], other[0])


def test_kernels_start_as_he_said() -> None:
    """A deviation of sqrt(2 / inputs), and none like another."""
    kernels = [
        layer.kernel.numpy()
        for layer in convnet(0.0, 0).layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    for kernel in kernels:
        inputs = np.prod(kernel.shape[:3])
        assert np.isclose(kernel.std(), np.sqrt(2 / inputs), rtol=0.1)
    assert len({float(kernel.ravel()[0]) for kernel in kernels}) == len(kernels)


def test_each_half_of_a_batch_moves_the_averages() -> None:
    """Moving means go by a hundredth twice a step, once towards the mean of each half."""
    model = convnet(0.0, seed=0)
    inside = keras.Model(model.input, model.get_layer("stem").output)
    halves = [
        inside.predict(part, verbose=0).mean((0, 1, 2)) for part in (IMAGES[:10], IMAGES[10:])
    ]
    trainer = MicrobatchModel(model.input, model.output)
    trainer.compile(keras.optimizers.SGD(0.0), "categorical_crossentropy", jit_compile=False)
    trainer.train_on_batch(IMAGES, np.eye(10, dtype=np.float32)[np.arange(20) % 10])
    wanted = 0.99 * 0.01 * halves[0] + 0.01 * halves[1]
    moving = model.get_layer("stem_norm").moving_mean.numpy()
    np.testing.assert_allclose(moving, wanted, rtol=1e-3, atol=1e-6)


def test_it_loads_back_in_safe_mode(tmp_path) -> None:
    model = convnet(0.4, seed=0, normalize=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        model.predict(IMAGES, verbose=0), loaded.predict(IMAGES, verbose=0)
    )
