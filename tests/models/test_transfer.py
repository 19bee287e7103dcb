"""The transfer models are the report's, frozen where they should be, and open anywhere."""

import json
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest

from fmnist import names
from fmnist.errors import BadInput
from fmnist.models import factory, layouts
from fmnist.models.backbones import BACKBONES
from fmnist.models.summary import parameters
from fmnist.models.transfer import Transfer, transfer
from fmnist.options import Train

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), dtype=np.uint8)


def random(model: str, layers: str = "last", side: int = 32) -> Transfer:
    return transfer(model, "none", side, "imagenet", layers, 0)


@pytest.mark.parametrize(
    ("model", "total", "trainable"),
    [("vgg16", 14_848_586, 133_898), ("resnet50", 24_114_826, 527_114)],
)
def test_they_have_the_parameters_of_the_report(model: str, total: int, trainable: int) -> None:
    spec = factory.spec(Train(model=model, weights="none"))
    assert parameters(spec.build(0.4, 0, False)) == {
        names.PARAMETERS_TOTAL: total,
        names.PARAMETERS_TRAINABLE: trainable,
    }


def test_options_name_exactly_the_networks_there_are() -> None:
    choices = get_args(Train.model_fields["model"].annotation)
    assert set(choices) == {*factory.SPECS, *BACKBONES}


@pytest.mark.parametrize("model", BACKBONES)
def test_every_backbone_has_the_blocks_and_layout_of_the_table(model: str) -> None:
    """All block outputs exist; what layouts.json says of the weights is what Keras builds."""
    parts = random(model, "multi", side=BACKBONES[model].minimum_side)
    network = parts.extractor.get_layer(BACKBONES[model].blocks[0] + "_mean")
    assert network is not None
    whole = getattr(keras.applications, BACKBONES[model].application)(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    assert layouts.layout(model) == layouts.layout_of(whole)
    assert list(layouts.layout(model)) == list(layouts.layout_of(whole))
    assert whole.get_layer(BACKBONES[model].blocks[-1]).output is whole.output


def test_layouts_hold_no_other_networks() -> None:
    stored = json.loads(Path(layouts.__file__).with_suffix(".json").read_text())
    assert list(stored) == list(BACKBONES)


@pytest.mark.parametrize("layers", ["last", "multi"])
def test_it_opens_in_safe_mode_with_layers_of_keras_alone(layers: str, tmp_path: Path) -> None:
    parts = random("mobilenetv2", layers)
    model = parts.whole(parts.head(0.3, 0))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        loaded.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0)
    )
    assert {type(layer).__module__.split(".")[0] for layer in loaded.layers} == {"keras"}
    assert loaded.input.dtype == "uint8"
    assert loaded.output.shape == (None, 10)


def test_multi_is_the_mean_of_every_block() -> None:
    parts = random("vgg16", "multi")
    features = parts.extractor.predict(IMAGES, verbose=0)
    assert features.shape == (6, 64 + 128 + 256 + 512 + 512)
    last = transfer("vgg16", "none", 32, "imagenet", "last", 0).extractor.predict(IMAGES, verbose=0)
    # At 32 x 32 the last block has a single position, so its mean is itself.
    np.testing.assert_allclose(features[:, -512:], last, rtol=1e-4, atol=1e-6)


def test_only_the_last_blocks_are_unfrozen_and_normalization_never_is() -> None:
    parts = random("mobilenetv2")
    model = parts.whole(parts.head(0.0, 0))
    before = len(model.trainable_weights)
    assert before == 4
    parts.unfreeze(1)
    trained = {weight.path for weight in model.trainable_weights}
    assert any("Conv_1/kernel" in path for path in trained)
    assert not any("block_12" in path or "bn" in path.lower() for path in trained)
    statistics = [w.numpy() for w in model.non_trainable_weights if "moving" in w.path]
    assert len(statistics) == 2 * 52
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    model.train_on_batch(IMAGES, np.arange(6) % 10)
    after = [w.numpy() for w in model.non_trainable_weights if "moving" in w.path]
    assert all(map(np.array_equal, statistics, after))


def test_unfreezing_all_blocks_reaches_the_first_convolution() -> None:
    parts = random("vgg16")
    model = parts.whole(parts.head(0.0, 0))
    parts.unfreeze(5)
    assert parameters(model)[names.PARAMETERS_TRAINABLE] == 14_848_586


def test_random_weights_follow_from_the_seed() -> None:
    digests = [transfer("vgg16", "none", 32, "unit", "last", s).weights_digest for s in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_images_too_small_for_the_backbone_are_refused() -> None:
    with pytest.raises(BadInput, match="input_size=31: vgg16 takes images of at least 32 x 32"):
        random("vgg16", side=31)
