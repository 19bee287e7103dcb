"""What a model is called wherever people read of it."""

from pathlib import Path


def model_title(model: str, weights: str) -> str:
    """Its name, and where its weights come from when they are not ImageNet's.

    Args:
        weights: where a backbone's weights come from, as the option says it; empty without one.
    """
    if weights in ("", "imagenet"):
        return model
    return f"{model} ({'random' if weights == 'none' else Path(weights).name} weights)"
