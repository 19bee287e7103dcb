"""Input of the backbones, compared with scikit-image's resizing and Keras's preprocessing."""

import keras
import numpy as np
import numpy.typing as npt
import pytest
from skimage.color import gray2rgb
from skimage.transform import resize

from fmnist.models.backbones import BACKBONES
from fmnist.models.preprocessing import prepare_backbone_input

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 28, 28), dtype=np.uint8)


def prepare(
    images: npt.NDArray[np.uint8], side: int, input_scaling: str, scaling: str
) -> npt.NDArray[np.float32]:
    inputs = keras.Input((28, 28), dtype="uint8")
    outputs = prepare_backbone_input(inputs, side, input_scaling, scaling)
    model = keras.Model(inputs, outputs)
    assert model.count_params() == 0
    return model.predict(images, verbose=0)


@pytest.mark.parametrize("side", [32, 48, 64])
@pytest.mark.parametrize("has_margin", [False, True])
def test_resizing_equals_scikit_image_except_at_the_edges(side: int, has_margin: bool) -> None:
    """Within 1/255. At the edges, scikit-image mirrors and TensorFlow repeats the pixels."""
    images = IMAGES.copy()
    if has_margin:
        images[:, [0, 1, -2, -1]] = 0
        images[:, :, [0, 1, -2, -1]] = 0
    expected = np.stack([gray2rgb(resize(image, (side, side))) for image in images])
    difference = np.abs(prepare(images, side, "unit", "caffe") - expected)
    edge = int(np.ceil(side / 28 / 2))
    assert difference[:, edge:-edge, edge:-edge].max() <= 1 / 255
    assert (difference.max() <= 1 / 255) == has_margin


@pytest.mark.parametrize(
    ("model", "module"),
    [
        ("vgg16", "vgg16"),
        ("vgg19", "vgg19"),
        ("resnet50", "resnet50"),
        ("resnet50v2", "resnet_v2"),
        ("mobilenetv2", "mobilenet_v2"),
        ("efficientnetb0", "efficientnet"),
        ("densenet121", "densenet"),
    ],
)
def test_scaling_equals_that_of_keras(model: str, module: str) -> None:
    preprocess = getattr(keras.applications, module).preprocess_input
    gray = prepare(IMAGES, 32, "unit", "none") * 255
    scaled = prepare(IMAGES, 32, "imagenet", BACKBONES[model].scaling)
    np.testing.assert_allclose(scaled, preprocess(gray.copy()), rtol=1e-5, atol=1e-4)
