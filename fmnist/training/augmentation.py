"""Data augmentation, mixup and label smoothing of whole batches in the input pipeline.

Images stay uint8, on the thread that prepares the next batch. All random numbers are a function of
(seed, epoch, step). The trained model contains none of this.
"""

from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

from fmnist.data.idx import SIDE
from fmnist.options.recipe import RecipeOptions

# From (inputs, targets, step) to augmented inputs and targets.
Augment = Callable[["tf.Tensor", "tf.Tensor", "tf.Tensor"], "tuple[tf.Tensor, tf.Tensor]"]

# Settings of Zhong et al.: a rectangle of 2 to 40 % of the image with an aspect ratio of 0.3 to
# 1 / 0.3, filled with the mean pixel of the training images, the second best choice in the paper.
_ERASED_AREA: Final = (0.02, 0.4)
_MIN_ASPECT_RATIO: Final = 0.3
_FILL: Final = 73


def create_augmentation(recipe: RecipeOptions, epoch_seed: "tf.Variable") -> Augment | None:
    """Create the augmentation function of a recipe; None if the recipe leaves batches as they are.

    Args:
        epoch_seed: () int64, the seed of the epoch; combined with the step it seeds each batch.
    """
    moves = recipe.flip == "on" or recipe.translate > 0
    if not (moves or recipe.random_erasing or recipe.mixup or recipe.label_smoothing):
        return None

    def augment(inputs: Any, targets: Any, step: Any) -> "tuple[tf.Tensor, tf.Tensor]":
        rows = tf.shape(inputs)[0]
        seeds = tf.unstack(tf.random.split(tf.stack([epoch_seed, step]), 3))
        if moves:
            inputs = _flip_and_translate(
                inputs, recipe.flip == "on", recipe.translate, rows, seeds[0]
            )
        if recipe.random_erasing:
            inputs = _erase(inputs, recipe.random_erasing, rows, seeds[1])
        if recipe.mixup:
            inputs, targets = _mixup(inputs, targets, recipe.mixup, seeds[2])
        if recipe.label_smoothing:
            smoothing = recipe.label_smoothing
            targets = targets * (1 - smoothing) + smoothing / targets.shape[-1]
        return inputs, targets

    return augment


def _flip_and_translate(images: Any, flip: bool, pixels: int, rows: Any, seed: Any) -> "tf.Tensor":
    """Mirror half of the images and translate each by up to `pixels`, filling with background.

    A single gather of bytes from the padded images.
    """
    uniform = tf.random.stateless_uniform((rows, 3, 1), seed)
    down, right = (
        tf.cast(tf.floor(uniform[:, axis] * (2 * pixels + 1)), tf.int32) for axis in range(2)
    )
    line = tf.range(SIDE)[tf.newaxis]
    columns = right + tf.where(uniform[:, 2] < 0.5, SIDE - 1 - line, line) if flip else right + line
    padded_side = SIDE + 2 * pixels
    first_pixels = tf.range(rows)[:, tf.newaxis] * padded_side**2
    line_starts = first_pixels + (down + line) * padded_side
    padding = [[0, 0], [pixels, pixels], [pixels, pixels]]
    padded = tf.reshape(tf.pad(images, padding), [-1])
    return tf.gather(padded, line_starts[:, :, tf.newaxis] + columns[:, tf.newaxis, :])


def _erase(images: Any, fraction: float, rows: Any, seed: Any) -> "tf.Tensor":
    """Fill a random rectangle in a fraction of the images."""
    uniform = tf.unstack(tf.random.stateless_uniform((5, rows, 1), seed))
    smallest, largest = _ERASED_AREA
    area = SIDE**2 * (smallest + uniform[0] * (largest - smallest))
    ratio = _MIN_ASPECT_RATIO ** (1 - 2 * uniform[1])
    line = tf.range(SIDE, dtype=tf.float32)[tf.newaxis]

    def interval(length: Any, position: Any) -> Any:
        length = tf.minimum(tf.round(length), SIDE)
        start = tf.floor(position * (SIDE - length + 1))
        return (line >= start) & (line < start + length)

    erased_rows = interval(tf.sqrt(area * ratio), uniform[2]) & (uniform[4] < fraction)
    erased_columns = interval(tf.sqrt(area / ratio), uniform[3])
    inside = erased_rows[:, :, tf.newaxis] & erased_columns[:, tf.newaxis, :]
    return tf.where(inside, tf.constant(_FILL, images.dtype), images)


def _mixup(inputs: Any, targets: Any, alpha: float, seed: Any) -> "tuple[tf.Tensor, tf.Tensor]":
    """Mix each row with its counterpart in the reversed batch; one weight for the whole batch."""
    gamma = tf.random.stateless_gamma((2,), seed, alpha)
    weight = gamma[0] / tf.reduce_sum(gamma)  # Beta(alpha, alpha)

    def mix(rows: Any) -> Any:
        return weight * rows + (1 - weight) * tf.reverse(rows, [0])

    values = mix(tf.cast(inputs, tf.float32))
    if inputs.dtype.is_integer:
        values = tf.round(values)
    return tf.cast(values, inputs.dtype), mix(targets)
