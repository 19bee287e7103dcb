"""Values of metrics, as they are stored."""

from collections.abc import Mapping

import numpy as np

Point = tuple[str, float, int, int]  # name, value, milliseconds since 1970, step


def to_points(metrics: Mapping[str, float], time: int, step: int) -> list[Point]:
    """Return the values of metrics measured at one time and step.

    Values are rounded to the precision of float32: 0.825 instead of 0.8249999880790710.
    """
    return [(name, _round(value), time, step) for name, value in metrics.items()]


def _round(value: float) -> float:
    value = float(value)
    return value if value.is_integer() else float(str(np.float32(value)))
