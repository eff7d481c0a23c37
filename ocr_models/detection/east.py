"""EAST as a functional Keras model: a backbone, the merge branch and the RBOX head.

Source: Zhou et al. 2017, "EAST: An Efficient and Accurate Scene Text Detector" (arXiv 1704.03155), figure 3.
All layers are built-in, so that a saved model loads without custom objects on any Keras backend.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

INITIAL_DISTANCE_PX = 12.0
INITIAL_TEXT_PROBABILITY = 0.05
BACKBONE_PREFIX = "stem_"  # of the layers' names, which trained models and frozen graphs have

_MERGE_CHANNELS = (128, 64, 32)  # the paper's, from stride 16 to stride 4
_BATCH_NORM_MOMENTUM = 0.95  # with 0.99 the moving means lag behind the weights while the learning rate is high
_VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # (convolutions, channels)


def build_east(backbone: str = "fast", text_scale: float = 512.0, name: str = "east") -> keras.Model:
    """Builds an EAST text detector with fresh weights.

    Args:
        backbone: "fast", residual blocks made for CPUs, or "vgg16", the classic VGG-16 up to its fifth pool.
        text_scale: the largest distance in pixels from a cell to an edge of its word.
        name: the model's name.

    Returns:
        A model from gray images (B, H, W, 1), 0 to 255, H and W multiples of 32 and free to vary, to a dict of
        float32 maps at a quarter of the image's size:
        ``score_logits`` (B, H/4, W/4, 1), whose sigmoid is the text probability, and
        ``geometry_map`` (B, H/4, W/4, 5): the distances to the word's top, right, bottom and left edge in pixels,
        and its angle in radians, positive clockwise.
        The score stays a logit up to the loss: in bfloat16, log(1 - p) overflows where p rounds to 1.

    Raises:
        ValueError: the backbone is unknown.
    """
    if backbone not in _BACKBONES:
        raise ValueError(f"backbone is {backbone!r}, but must be one of {sorted(_BACKBONES)}.")
    image = keras.Input((None, None, 1), name="image")
    rescaled = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(image)
    features = _merge(_BACKBONES[backbone](rescaled), batch_norm=backbone != "vgg16")
    outputs = {"score_logits": _score_head(features), "geometry_map": _geometry_head(features, text_scale)}
    return keras.Model(image, outputs, name=name)


def freeze_backbone(model: keras.Model) -> None:
    """Makes only the merge branch and the head trainable (head-tuning). Compile the model again afterwards."""
    backbone_layers = [layer for layer in model.layers if layer.name.startswith(BACKBONE_PREFIX)]
    if not backbone_layers:
        raise ValueError(f"Model {model.name!r} has no layers named {BACKBONE_PREFIX}*: build it with build_east.")
    for layer in backbone_layers:
        layer.trainable = False


def _fast_backbone(x) -> tuple[Any, ...]:
    """Feature maps at strides 4, 8, 16 and 32.

    Blocks at stride 4 would be half of the work, so that there are none before the merge. The ten blocks at strides 8
    to 32 cost little and have a receptive field of some 400 pixels, which large words need. Plain convolutions train
    faster than depthwise ones of the same quality, for which TensorFlow has no fast gradient on CPUs.
    """
    x = _conv(x, 16, 3, "stem_s2_conv", strides=2)
    stride4 = _conv(x, 32, 3, "stem_s4_down", strides=2)
    x = _conv(stride4, 64, 3, "stem_s8_down", strides=2)
    for index in (1, 2, 3):
        x = _bottleneck_block(x, f"stem_s8_block{index}")
    stride8 = x
    x = _conv(x, 128, 3, "stem_s16_down", strides=2)
    for index in (1, 2, 3, 4):
        x = _bottleneck_block(x, f"stem_s16_block{index}")
    stride16 = x
    x = _conv(x, 256, 3, "stem_s32_down", strides=2)
    for index in (1, 2, 3):
        x = _bottleneck_block(x, f"stem_s32_block{index}")
    return stride4, stride8, stride16, x


def _vgg16_backbone(x) -> list[Any]:
    """Feature maps after VGG-16's pools 2 to 5 (Simonyan & Zisserman 2014), for a gray image."""
    taps = []
    for block, (convolutions, channels) in enumerate(_VGG16_BLOCKS, start=1):
        for index in range(1, convolutions + 1):
            x = _conv(x, channels, 3, f"stem_block{block}_conv{index}", batch_norm=False)
        x = layers.MaxPooling2D(name=f"stem_block{block}_pool")(x)
        taps.append(x)
    return taps[1:]


_BACKBONES = {"fast": _fast_backbone, "vgg16": _vgg16_backbone}


def _merge(taps, batch_norm: bool) -> Any:
    """The U-shaped merge branch, from stride 32 up to stride 4: (B, H/4, W/4, 32).

    The paper's unpool, concat and 1x1 convolution are computed as unpool(1x1(deep)) + 1x1(tap). This is the same
    function, because a 1x1 convolution commutes with bilinear unpooling, and takes a quarter of the work for deep maps.
    """
    x = taps[-1]
    for tap, channels in zip(reversed(taps[:-1]), _MERGE_CHANNELS, strict=True):
        name = f"merge_{channels}"
        deep = _conv(x, channels, 1, f"{name}_deep", relu=False, batch_norm=batch_norm)
        deep = layers.UpSampling2D(interpolation="bilinear", name=f"{name}_unpool")(deep)
        tap = _conv(tap, channels, 1, f"{name}_tap", relu=False, batch_norm=batch_norm)
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([deep, tap]))
        x = _conv(x, channels, 3, f"{name}_conv", batch_norm=batch_norm)
    return _conv(x, _MERGE_CHANNELS[-1], 3, "merge_out", batch_norm=batch_norm)


def _score_head(x) -> Any:
    bias = keras.initializers.Constant(_logit(INITIAL_TEXT_PROBABILITY))
    return layers.Conv2D(1, 1, bias_initializer=bias, dtype="float32", name="score_logits")(x)


def _geometry_head(x, text_scale: float) -> Any:
    # sigmoid(0) would start every distance at half of text_scale, far from any word; the bias starts it at the size of
    # a typical word instead.
    bias = keras.initializers.Constant(_logit(INITIAL_DISTANCE_PX / text_scale))
    kernel = keras.initializers.RandomNormal(stddev=0.01)
    distances = layers.Conv2D(
        4, 1, activation="sigmoid", kernel_initializer=kernel, bias_initializer=bias, dtype="float32", name="distances"
    )(x)
    distances = layers.Rescaling(text_scale, dtype="float32", name="distances_px")(distances)
    angle = layers.Conv2D(1, 1, activation="sigmoid", kernel_initializer=kernel, dtype="float32", name="angle")(x)
    angle = layers.Rescaling(math.pi / 2, offset=-math.pi / 4, dtype="float32", name="angle_rad")(angle)
    return layers.Concatenate(dtype="float32", name="geometry_map")([distances, angle])


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def _bottleneck_block(x, name: str) -> Any:
    """A residual bottleneck (He et al. 2015): x plus a 3x3 convolution on half of its channels."""
    y = _conv(x, x.shape[-1] // 2, 1, f"{name}_reduce")
    y = _conv(y, x.shape[-1] // 2, 3, f"{name}_conv")
    y = _conv(y, x.shape[-1], 1, f"{name}_expand", relu=False)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, y]))


def _conv(
    x, channels: int, kernel_size: int, name: str, strides: int = 1, relu: bool = True, batch_norm: bool = True
) -> Any:
    x = layers.Conv2D(
        channels,
        kernel_size,
        strides,
        padding="same",
        use_bias=not batch_norm,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    return _norm_relu(x, name, batch_norm, relu)


def _norm_relu(x, name: str, batch_norm: bool, relu: bool = True) -> Any:
    if batch_norm:
        x = layers.BatchNormalization(momentum=_BATCH_NORM_MOMENTUM, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x
