"""What is not as it should be in one split, in words."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from fmnist.results.eda import VALUES, SplitAudit

# A picture of a thing on an empty ground has its corners dark.
_BRIGHT_GROUND: Final = 128
# How many times as many images the largest class may have as the smallest.
_UNEVEN: Final = 1.5


def defects(split: str, found: SplitAudit, class_names: Sequence[str]) -> list[str]:
    """What is not as it should be in one split, a sentence each; empty if all is well.

    Args:
        split: what to call it, `training` or `test`.
    """
    sentences = []
    if found.missing_classes:
        missing = ", ".join(f"{class_names[label]} ({label})" for label in found.missing_classes)
        sentences.append(f"No {split} image of class {missing}.")
    if found.imbalance > _UNEVEN:
        sentences.append(
            f"The {split} classes are uneven: the largest has {found.imbalance:.2f} times as many "
            "images as the smallest."
        )
    low, high = found.extremes
    if high <= 1:
        sentences.append(f"The {split} pixels lie in {low} to {high}: wanted 0 to {VALUES - 1}.")
    if found.corners >= _BRIGHT_GROUND:
        sentences.append(
            f"The {split} images have a bright ground (median corner pixel {found.corners:.0f}): "
            "wanted 0 for the background; they may be inverted."
        )
    for what, rows in (("blank (all 0)", found.blank), ("constant", found.constant)):
        if len(rows):
            sentences.append(f"{_images(len(rows), split)} {what}: row {_listed(rows)}.")
    return sentences


def _images(count: int, split: str) -> str:
    return f"1 {split} image is" if count == 1 else f"{count:,} {split} images are"


def _listed(rows: npt.NDArray[np.int64], shown: int = 5) -> str:
    return ", ".join(str(row) for row in rows[:shown]) + (", …" if len(rows) > shown else "")
