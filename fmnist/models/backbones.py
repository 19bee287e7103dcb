"""Table of the backbones that the option `model` names; does not import Keras."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

InputScaling = Literal["imagenet", "unit"]
FeatureLayers = Literal["last", "multi", "grid"]
Scaling = Literal["caffe", "tf", "torch", "none"]


@dataclass(frozen=True)
class Backbone:
    """A network of Keras Applications, used without its top.

    Args:
        name: value of the option `model`.
        application: name of its function in `keras.applications`.
        scaling: input range of its ImageNet weights: `caffe` BGR minus the mean pixel, `tf` -1..1,
            `torch` RGB standardized by channel, `none` 0..255 (the network scales its input).
        blocks: names of the last layer of each block, first to last; the last is the output.
        imagenet_file: name of the file with its ImageNet weights, as Keras caches it.
    """

    name: str
    application: str
    scaling: Scaling
    blocks: tuple[str, ...]
    imagenet_file: str


_KERNELS: Final = "weights_tf_dim_ordering_tf_kernels"
_VGG: Final = tuple(f"block{number}_pool" for number in range(1, 6))
_RESNET: Final = ("conv2_block3_out", "conv3_block4_out", "conv4_block6_out")
_RESNET50: Final = ("conv1_relu", *_RESNET, "conv5_block3_out")
_RESNET50V2: Final = ("conv1_conv", *_RESNET, "post_relu")
_MOBILENET: Final = (
    "expanded_conv_project_BN", "block_2_add", "block_5_add", "block_12_add", "out_relu",
)  # fmt: skip
_MOBILENET_FILE: Final = f"mobilenet_v2_{_KERNELS}_1.0_224_no_top.h5"
_EFFICIENTNET: Final = (
    "block1a_project_bn", "block2b_add", "block3b_add", "block5c_add", "top_activation",
)  # fmt: skip
_DENSENET: Final = (
    "conv1_relu", "conv2_block6_concat", "conv3_block12_concat", "conv4_block24_concat", "relu",
)  # fmt: skip

BACKBONES: Final[Mapping[str, Backbone]] = {
    backbone.name: backbone
    for backbone in (
        Backbone("vgg16", "VGG16", "caffe", _VGG, f"vgg16_{_KERNELS}_notop.h5"),
        Backbone("vgg19", "VGG19", "caffe", _VGG, f"vgg19_{_KERNELS}_notop.h5"),
        Backbone("resnet50", "ResNet50", "caffe", _RESNET50, f"resnet50_{_KERNELS}_notop.h5"),
        Backbone("resnet50v2", "ResNet50V2", "tf", _RESNET50V2, f"resnet50v2_{_KERNELS}_notop.h5"),
        Backbone("mobilenetv2", "MobileNetV2", "tf", _MOBILENET, _MOBILENET_FILE),
        Backbone(
            "efficientnetb0", "EfficientNetB0", "none", _EFFICIENTNET, "efficientnetb0_notop.h5"
        ),
        Backbone(
            "densenet121", "DenseNet121", "torch", _DENSENET, f"densenet121_{_KERNELS}_notop.h5"
        ),
    )
}
