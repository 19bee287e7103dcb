"""From the files' own pixels to what a frozen backbone expects, as standard Keras layers.

No Lambda and no layer of our own: a saved model opens in Keras's safe mode, without this package.
"""

from collections.abc import Mapping
from typing import Any, Final

from keras import layers

from fmnist.models.backbones import InputScaling, Scaling

# Per channel, in the order in which the channels come: BGR for caffe, RGB for torch. Sources: the
# mean pixel of Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
# recognition" (2015), section 2.1; mean and deviation of ImageNet as torchvision publishes them.
_CAFFE_MEAN: Final = (103.939, 116.779, 123.68)
_TORCH_MEAN: Final = (0.485, 0.456, 0.406)
_TORCH_DEVIATION: Final = (0.229, 0.224, 0.225)

# What a pixel of 0..255 is multiplied by, and what is added then.
_FACTORS: Final[Mapping[Scaling, tuple[Any, Any]]] = {
    # The three channels of a gray image are equal, so BGR differs from RGB in the means alone.
    "caffe": (1.0, [-mean for mean in _CAFFE_MEAN]),
    "tf": (1 / 127.5, -1.0),
    "torch": (
        [1 / (255 * deviation) for deviation in _TORCH_DEVIATION],
        [-mean / dev for mean, dev in zip(_TORCH_MEAN, _TORCH_DEVIATION, strict=True)],
    ),
    "none": (1.0, 0.0),
}

# Of the pixels of the 60,000 training images, 0..255: mean and deviation.
_PIXEL_MEAN: Final = 72.940
_PIXEL_DEVIATION: Final = 90.021


def scaled(images: Any, normalize: bool) -> Any:
    """Keras tensor (n, 28, 28, 1) float32 of a Keras tensor of images (n, 28, 28) uint8.

    Args:
        normalize: to mean 0 and deviation 1 over the training images of Fashion-MNIST, else to
            0..1. The two numbers are constants: equal in all folds, and the model's definition
            does not hang on the rows that it is fitted to.
    """
    if normalize:
        scale = layers.Rescaling(
            1 / _PIXEL_DEVIATION, -_PIXEL_MEAN / _PIXEL_DEVIATION, name="scale"
        )
    else:
        scale = layers.Rescaling(1 / 255, name="scale")
    return layers.Reshape((28, 28, 1), name="channel")(scale(images))


def prepared(images: Any, side: int, input_scaling: InputScaling, scaling: Scaling) -> Any:
    """Keras tensor (n, side, side, 3) float32 of a Keras tensor of images (n, 28, 28) uint8.

    Resized bilinearly with pixel centers at halves, as `skimage.transform.resize` does, but with
    edge pixels continued where that mirrors; gray repeated in three channels.

    Args:
        input_scaling: `imagenet` for the range that `scaling` names, `unit` for 0..1.
    """
    x = layers.Rescaling(1 / 255 if input_scaling == "unit" else 1.0, name="to_float")(images)
    x = layers.Reshape((28, 28, 1), name="channel")(x)
    x = layers.Resizing(side, side, interpolation="bilinear", name="resize")(x)
    x = layers.Concatenate(name="grey_to_rgb")([x, x, x])
    if input_scaling == "imagenet":
        factor, offset = _FACTORS[scaling]
        x = layers.Rescaling(factor, offset, name=f"{scaling}_scaling")(x)
    return x
