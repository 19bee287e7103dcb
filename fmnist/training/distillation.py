"""Knowledge distillation: soft labels from a teacher's predictions for the training rows.

Source: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), without the
temperature.
"""

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fmnist.data.dataset import Split
from fmnist.errors import BadInput

if TYPE_CHECKING:
    from fmnist.tracking.model import Teacher


def load_teacher(teacher: str, data_digest: str) -> "Teacher | None":
    """Load the teacher that the option names, see `tracking.model`; None for `none`."""
    if teacher == "none":
        return None
    from fmnist.tracking.model import find_teacher

    return find_teacher(teacher, data_digest)


def soft_targets(
    teacher: "Teacher | None", weight: float, train: Split, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32] | None:
    """Mix one-hot labels and the teacher's probabilities; None without a teacher.

    Args:
        weight: of the teacher, 0 to 1.
        train: all rows of the training file.
        rows: (n,) int64, the rows in use.

    Returns:
        (n, classes) float32.

    Raises:
        BadInput: the teacher has no predictions for some of the rows.
    """
    if teacher is None:
        return None
    images, labels = train.images[rows], train.labels[rows]
    if teacher.out_of_fold is None:
        probabilities = teacher.predict(images)
    else:
        probabilities = _out_of_fold_means(teacher.out_of_fold, len(train))[rows]
    if probabilities.shape[1] != train.classes:
        raise BadInput(
            f"teacher={teacher.source}: expected predictions of {train.classes} classes, got "
            f"{probabilities.shape[1]}; use a teacher trained on this data"
        )
    one_hot = np.eye(train.classes, dtype=np.float32)[labels]
    targets = (1 - weight) * one_hot + weight * probabilities
    if not np.isfinite(targets).all():
        raise BadInput(
            f"teacher={teacher.source}: it has no predictions for some of the training rows; "
            "use a cross-validation on all of them"
        )
    return targets


def _out_of_fold_means(parquet: bytes, rows: int) -> npt.NDArray[np.float32]:
    """Mean probabilities over the repetitions, (rows, classes) float32; NaN without any."""
    import pandas as pd

    from fmnist.evaluation.tables import probability_columns

    table = pd.read_parquet(BytesIO(parquet))
    means = table.groupby("index")[probability_columns(table.columns)].mean()
    return means.reindex(range(rows)).to_numpy(np.float32)
