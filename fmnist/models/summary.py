"""A model in words and counts."""

import keras

from fmnist import names


def parameters(model: keras.Model) -> dict[str, float]:
    """How many numbers the model holds, and how many of them training changes."""
    trainable = sum(int(weight.shape.num_elements()) for weight in model.trainable_weights)
    return {
        names.PARAMETERS_TOTAL: model.count_params(),
        names.PARAMETERS_TRAINABLE: trainable,
    }


def summary(model: keras.Model) -> str:
    """Keras's table of layers, shapes and parameters."""
    lines: list[str] = []
    model.summary(print_fn=lines.append, line_length=88)
    return "\n".join(lines) + "\n"
