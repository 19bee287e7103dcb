"""Table of the backbones that the option `model` names; does not import Keras."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

InputScaling = Literal["imagenet", "unit"]
FeatureLayers = Literal["last", "multi"]
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
_VGG_BLOCKS: Final = tuple(f"block{number}_pool" for number in range(1, 6))
_RESNET_BLOCKS: Final = ("conv2_block3_out", "conv3_block4_out", "conv4_block6_out")

BACKBONES: Final[Mapping[str, Backbone]] = {
    backbone.name: backbone
    for backbone in (
        Backbone("vgg16", "VGG16", "caffe", _VGG_BLOCKS, f"vgg16_{_KERNELS}_notop.h5"),
        Backbone("vgg19", "VGG19", "caffe", _VGG_BLOCKS, f"vgg19_{_KERNELS}_notop.h5"),
        Backbone(
            "resnet50",
            "ResNet50",
            "caffe",
            ("conv1_relu", *_RESNET_BLOCKS, "conv5_block3_out"),
            f"resnet50_{_KERNELS}_notop.h5",
        ),
        Backbone(
            "resnet50v2",
            "ResNet50V2",
            "tf",
            ("conv1_conv", *_RESNET_BLOCKS, "post_relu"),
            f"resnet50v2_{_KERNELS}_notop.h5",
        ),
        Backbone(
            "mobilenetv2",
            "MobileNetV2",
            "tf",
            ("expanded_conv_project_BN", "block_2_add", "block_5_add", "block_12_add", "out_relu"),
            f"mobilenet_v2_{_KERNELS}_1.0_224_no_top.h5",
        ),
        Backbone(
            "efficientnetb0",
            "EfficientNetB0",
            "none",
            ("block1a_project_bn", "block2b_add", "block3b_add", "block5c_add", "top_activation"),
            "efficientnetb0_notop.h5",
        ),
        Backbone(
            "densenet121",
            "DenseNet121",
            "torch",
            (
                "conv1_relu",
                "conv2_block6_concat",
                "conv3_block12_concat",
                "conv4_block24_concat",
                "relu",
            ),
            f"densenet121_{_KERNELS}_notop.h5",
        ),
    )
}
