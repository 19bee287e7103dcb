"""What backbones are fed: against scikit-image's resizing and Keras's own preprocessing."""

import keras
import numpy as np
import numpy.typing as npt
import pytest
from skimage.color import gray2rgb
from skimage.transform import resize

from fmnist.models.backbones import BACKBONES
from fmnist.models.preprocessing import prepared

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 28, 28), dtype=np.uint8)


def fed(images: npt.NDArray[np.uint8], side: int, input_scaling: str, scaling: str) -> npt.NDArray:
    inputs = keras.Input((28, 28), dtype="uint8")
    model = keras.Model(inputs, prepared(inputs, side, input_scaling, scaling))
    assert model.count_params() == 0
    return model.predict(images, verbose=0)


@pytest.mark.parametrize("side", [32, 48, 64])
def test_unit_is_what_the_report_did_but_for_the_edge(side: int) -> None:
    """`resize` and `gray2rgb` as the report used them, on noise, the hardest image to agree on.

    Within 1/255 wherever all pixels that count lie inside the image. At the edge they part:
    scikit-image mirrors the image there, TensorFlow continues its outermost pixels.
    """
    theirs = np.stack([gray2rgb(resize(image, (side, side))) for image in IMAGES])
    difference = np.abs(fed(IMAGES, side, "unit", "caffe") - theirs)
    edge = int(np.ceil(side / 28 / 2))
    inside = (slice(None), slice(edge, -edge), slice(edge, -edge))
    assert difference[inside].max() <= 1 / 255
    assert difference.max() > 1 / 255


def test_where_the_edge_is_background_the_report_is_met_everywhere() -> None:
    images = IMAGES.copy()
    images[:, [0, 1, -2, -1]] = 0
    images[:, :, [0, 1, -2, -1]] = 0
    theirs = np.stack([gray2rgb(resize(image, (32, 32))) for image in images])
    assert np.abs(fed(images, 32, "unit", "caffe") - theirs).max() <= 1 / 255


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
def test_imagenet_is_what_keras_does_for_the_backbone(model: str, module: str) -> None:
    theirs = getattr(keras.applications, module).preprocess_input
    gray = fed(IMAGES, 32, "unit", "none") * 255
    ours = fed(IMAGES, 32, "imagenet", BACKBONES[model].scaling)
    np.testing.assert_allclose(ours, theirs(gray.copy()), rtol=1e-5, atol=1e-4)
