"""Batches altered while they are put together: images moved, mirrored, wiped, mixed; soft labels.

Whole batches at a time, as bytes, on the thread that prepares the next batch. What is drawn is a
function of (seed, epoch, step). The trained model knows nothing of it.
"""

from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

from fmnist.data.idx import SIDE
from fmnist.options.recipe import Recipe
from fmnist.results.training import CLASSES

# From (inputs, targets, number of the batch) to altered inputs and targets.
Alter = Callable[["tf.Tensor", "tf.Tensor", "tf.Tensor"], "tuple[tf.Tensor, tf.Tensor]"]

# The settings of Zhong et al.: a rectangle of 2 to 40 % of the image, between 0.3 and 1 / 0.3 as
# high as wide; filled with the mean pixel of the training images, their second best choice.
_AREAS: Final = (0.02, 0.4)
_FLATTEST: Final = 0.3
_FILL: Final = 73


def alteration(techniques: Recipe, state: "tf.Variable") -> Alter | None:
    """What the techniques do to each batch; None where they leave it as it is.

    Args:
        state: () int64, what is drawn in an epoch follows from it and from the batch's number.
    """
    moves = techniques.flip == "on" or techniques.translate > 0
    if not (moves or techniques.random_erasing or techniques.mixup or techniques.label_smoothing):
        return None

    def alter(inputs: Any, targets: Any, number: Any) -> "tuple[tf.Tensor, tf.Tensor]":
        rows = tf.shape(inputs)[0]
        seeds = tf.unstack(tf.random.split(tf.stack([state, number]), 3))
        if moves:
            inputs = _moved(inputs, techniques.flip == "on", techniques.translate, rows, seeds[0])
        if techniques.random_erasing:
            inputs = _erased(inputs, techniques.random_erasing, rows, seeds[1])
        if techniques.mixup:
            inputs, targets = _mixed(inputs, targets, techniques.mixup, seeds[2])
        if techniques.label_smoothing:
            share = techniques.label_smoothing
            targets = targets * (1 - share) + share / CLASSES
        return inputs, targets

    return alter


def _moved(images: Any, flip: bool, translate: int, rows: Any, seed: Any) -> "tf.Tensor":
    """Each image shifted by its own number of pixels, background moving in; half of them mirrored.

    One gather of bytes: where each pixel of the result lies in the images with a margin around.
    """
    drawn = tf.random.stateless_uniform((rows, 3, 1), seed)
    down, right = (
        tf.cast(tf.floor(drawn[:, axis] * (2 * translate + 1)), tf.int32) for axis in range(2)
    )
    line = tf.range(SIDE)[tf.newaxis]
    columns = right + tf.where(drawn[:, 2] < 0.5, SIDE - 1 - line, line) if flip else right + line
    side = SIDE + 2 * translate
    first = tf.range(rows)[:, tf.newaxis] * side**2
    starts = first + (down + line) * side
    margins = [[0, 0], [translate, translate], [translate, translate]]
    pixels = tf.reshape(tf.pad(images, margins), [-1])
    return tf.gather(pixels, starts[:, :, tf.newaxis] + columns[:, tf.newaxis, :])


def _erased(images: Any, share: float, rows: Any, seed: Any) -> "tf.Tensor":
    """A share of the images with a rectangle of one gray in it, somewhere."""
    drawn = tf.unstack(tf.random.stateless_uniform((5, rows, 1), seed))
    smallest, largest = _AREAS
    area = SIDE**2 * (smallest + drawn[0] * (largest - smallest))
    ratio = _FLATTEST ** (1 - 2 * drawn[1])
    line = tf.range(SIDE, dtype=tf.float32)[tf.newaxis]

    def within(length: Any, place: Any) -> Any:
        length = tf.minimum(tf.round(length), SIDE)
        start = tf.floor(place * (SIDE - length + 1))
        return (line >= start) & (line < start + length)

    chosen = drawn[4] < share
    high = within(tf.sqrt(area * ratio), drawn[2]) & chosen
    wide = within(tf.sqrt(area / ratio), drawn[3])
    inside = high[:, :, tf.newaxis] & wide[:, tf.newaxis, :]
    return tf.where(inside, tf.constant(_FILL, images.dtype), images)


def _mixed(inputs: Any, targets: Any, alpha: float, seed: Any) -> "tuple[tf.Tensor, tf.Tensor]":
    """Every row with some of the row opposite, one share for the batch, as in Zhang et al."""
    drawn = tf.random.stateless_gamma((2,), seed, alpha)
    share = drawn[0] / tf.reduce_sum(drawn)

    def mixed(rows: Any) -> Any:
        return share * rows + (1 - share) * tf.reverse(rows, [0])

    values = mixed(tf.cast(inputs, tf.float32))
    if inputs.dtype.is_integer:
        values = tf.round(values)
    return tf.cast(values, inputs.dtype), mixed(targets)
