"""Transfer models have the parameters of the reference report and train only what they should."""

from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest

from fmnist import names
from fmnist.models.backbones import BACKBONES
from fmnist.models.factory import ModelSpec, create_spec
from fmnist.models.preprocessing import prepare_backbone_input
from fmnist.options import Train
from fmnist.options.train import FROM_SCRATCH
from fmnist.training.report import size_metrics

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)


def random_spec(model: str, **options) -> ModelSpec:
    return create_spec(Train(model=model, weights="none", **options))


@pytest.mark.parametrize(
    ("model", "total", "trainable"),
    [("vgg16", 14_848_586, 133_898), ("resnet50", 24_114_826, 527_114)],
)
def test_parameters_are_those_of_the_reference_report(
    model: str, total: int, trainable: int
) -> None:
    sizes = {names.PARAMETERS_TOTAL: total, names.PARAMETERS_TRAINABLE: trainable}
    assert size_metrics(random_spec(model).build(0.4, 0)) == sizes


def test_the_option_model_lists_all_networks() -> None:
    choices = get_args(Train.model_fields["model"].annotation)
    assert set(choices) == {*FROM_SCRATCH, *BACKBONES}


@pytest.mark.parametrize("model", BACKBONES)
def test_a_backbone_has_the_blocks_of_the_table(model: str) -> None:
    backbone = BACKBONES[model]
    build = getattr(keras.applications, backbone.application)
    network = build(weights=None, include_top=False, input_shape=(32, 32, 3))
    outputs = [network.get_layer(name).output for name in backbone.blocks]
    assert outputs[-1] is network.output


@pytest.mark.parametrize("layers", ["last", "multi", "grid"])
def test_a_saved_model_loads_in_safe_mode(layers: str, tmp_path: Path) -> None:
    model = random_spec("mobilenetv2", feature_layers=layers).build(0.3, 0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0)
    )
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    assert (loaded.input.dtype, loaded.output.shape) == ("uint8", (None, 10))


def test_multi_concatenates_the_means_of_all_blocks() -> None:
    features, last = (
        random_spec("vgg16", feature_layers=layers).transfer.extractor.predict(IMAGES, verbose=0)
        for layers in ("multi", "last")
    )
    assert features.shape == (6, 64 + 128 + 256 + 512 + 512)
    # At 32 x 32 the last block has a single position.
    np.testing.assert_allclose(features[:, -512:], last, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "size", "positions"),
    [("vgg16", 48, (24, 12, 6, 3, 1)), ("mobilenetv2", 36, (18, 9, 5, 3, 2))],
)
def test_grid_concatenates_the_means_of_the_quarters(model: str, size: int, positions) -> None:
    """An odd block has overlapping quarters; one with a single position has one mean."""
    transfer = random_spec(model, feature_layers="grid", input_size=size).transfer
    pixels = prepare_backbone_input(IMAGES, size, "imagenet", transfer.backbone.scaling)
    network = transfer.extractor.get_layer(model)
    outputs = list(map(keras.ops.convert_to_numpy, network(pixels, training=False)))
    assert tuple(output.shape[1] for output in outputs) == positions
    expected = []
    for output in outputs:
        middle = output.shape[1] // 2
        halves = (slice(None, -middle or None), slice(middle, None))
        quarters = [output[:, rows, columns].mean((1, 2)) for rows in halves for columns in halves]
        expected += quarters if middle else quarters[:1]
    features = transfer.extractor.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(features, np.concatenate(expected, 1), rtol=1e-4, atol=1e-5)


def test_a_head_standardizes_its_features() -> None:
    head = random_spec("mobilenetv2").transfer.build_head(0.0, seed=0, normalize=True)
    random = np.random.default_rng(0)
    features = random.normal(50.0, random.uniform(0.1, 9.0, 1280), (512, 1280)).astype("float32")
    head.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    head.fit(features, np.arange(512) % 10, batch_size=64, epochs=16, verbose=0)
    standardize = keras.Model(head.input, head.get_layer("standardize").output)
    output = standardize.predict(features, verbose=0)
    np.testing.assert_allclose(output.mean(0), 0, atol=0.3)  # moving averages of batches
    np.testing.assert_allclose(output.std(0), 1, atol=0.3)
    assert [weight.name for weight in head.trainable_weights] == ["kernel", "bias"] * 2


def test_unfreezing_makes_the_last_blocks_trainable_without_normalization() -> None:
    spec = random_spec("mobilenetv2")
    model = spec.build(0.0, 0)
    assert len(model.trainable_weights) == 4
    spec.transfer.unfreeze(1)
    trainable = {weight.path for weight in model.trainable_weights}
    assert any("Conv_1/kernel" in path for path in trainable)
    assert not any("block_12" in path or "bn" in path.lower() for path in trainable)
    moving = [w for w in model.non_trainable_weights if "moving" in w.path]
    before = [weight.numpy() for weight in moving]
    assert len(before) == 2 * 52
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    model.train_on_batch(IMAGES, np.arange(6) % 10)
    assert all(map(np.array_equal, before, [weight.numpy() for weight in moving]))


def test_unfreezing_all_blocks_includes_the_first_convolution() -> None:
    spec = random_spec("vgg16")
    model = spec.build(0.0, 0)
    spec.transfer.unfreeze(5)
    assert size_metrics(model)[names.PARAMETERS_TRAINABLE] == 14_848_586


def test_the_seed_determines_random_weights() -> None:
    specs = [random_spec("vgg16", split_seed=seed) for seed in (0, 0, 1)]
    first, same, other = (spec.transfer.weights_digest for spec in specs)
    assert first == same != other
