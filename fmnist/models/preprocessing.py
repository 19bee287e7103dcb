"""Preprocessing as standard Keras layers inside the model.

Without Lambda or custom layers, a saved model loads in Keras's safe mode and without this package.
"""

from collections.abc import Mapping
from typing import Any, Final

from keras import layers

from fmnist.models.backbones import InputScaling, Scaling

# By channel: BGR for caffe, RGB for torch. Sources: the mean pixel of Simonyan and Zisserman, "Very
# deep convolutional networks for large-scale image recognition" (2015), section 2.1; ImageNet's
# mean and standard deviation as published by torchvision.
_CAFFE_MEAN: Final = (103.939, 116.779, 123.68)
_TORCH_MEAN: Final = (0.485, 0.456, 0.406)
_TORCH_STD: Final = (0.229, 0.224, 0.225)

# (factor, offset) applied to pixels of 0..255.
_FACTORS: Final[Mapping[Scaling, tuple[Any, Any]]] = {
    # The three channels of a gray image are equal, so BGR and RGB differ only in the means.
    "caffe": (1.0, [-mean for mean in _CAFFE_MEAN]),
    "tf": (1 / 127.5, -1.0),
    "torch": (
        [1 / (255 * std) for std in _TORCH_STD],
        [-mean / std for mean, std in zip(_TORCH_MEAN, _TORCH_STD, strict=True)],
    ),
    "none": (1.0, 0.0),
}

# Mean and standard deviation of the pixels (0..255) of the 60,000 training images.
_PIXEL_MEAN: Final = 72.940
_PIXEL_STD: Final = 90.021


def scale_pixels(images: Any, normalize: bool) -> Any:
    """Scale images (n, 28, 28) uint8 to (n, 28, 28, 1) float32; both are Keras tensors.

    Args:
        normalize: scale to mean 0 and standard deviation 1 over Fashion-MNIST's training images,
            otherwise to 0..1. Both numbers are constants, so that all folds use the same model.
    """
    factor, offset = (1 / _PIXEL_STD, -_PIXEL_MEAN / _PIXEL_STD) if normalize else (1 / 255, 0.0)
    scale = layers.Rescaling(factor, offset, name="scale")
    return layers.Reshape((28, 28, 1), name="channel")(scale(images))


def prepare_backbone_input(
    images: Any, side: int, input_scaling: InputScaling, scaling: Scaling
) -> Any:
    """Resize and scale images (n, 28, 28) uint8 to (n, side, side, 3) float32, as Keras tensors.

    Bilinear with half-pixel centers like `skimage.transform.resize`, which however mirrors the
    image at the edges where TensorFlow repeats the edge pixels. Gray is repeated in three channels.

    Args:
        input_scaling: `imagenet` for the range of `scaling`, `unit` for 0..1.
    """
    x = layers.Rescaling(1 / 255 if input_scaling == "unit" else 1.0, name="to_float")(images)
    x = layers.Reshape((28, 28, 1), name="channel")(x)
    x = layers.Resizing(side, side, interpolation="bilinear", name="resize")(x)
    x = layers.Concatenate(name="grey_to_rgb")([x, x, x])
    if input_scaling == "imagenet":
        factor, offset = _FACTORS[scaling]
        x = layers.Rescaling(factor, offset, name=f"{scaling}_scaling")(x)
    return x
