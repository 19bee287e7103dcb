"""Soft labels: what a teacher answers on the training rows, mixed with what is true.

Source: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), without its
temperature.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fmnist.data.dataset import Split
from fmnist.errors import BadInput
from fmnist.results.training import CLASSES

if TYPE_CHECKING:
    from fmnist.tracking.model import Teacher


def teacher_of(named: str, data_digest: str) -> "Teacher | None":
    """The teacher that a user named, see `tracking.model.find_teacher`; None for none."""
    if named == "none":
        return None
    from fmnist.tracking.model import find_teacher

    return find_teacher(named, data_digest)


def targets(
    teacher: "Teacher | None", share: float, train: Split, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32] | None:
    """What to fit to instead of the labels, (n, 10) float32: each row sums to 1.

    Args:
        share: how much of it is the teacher's, 0 to 1.
        train: all training rows of the files.
        rows: (n,) int64, those in use, by their numbers in the file.

    Raises:
        BadInput: the teacher has no answer on some of them.
    """
    if teacher is None:
        return None
    images, labels = train.images[rows], train.labels[rows]
    if teacher.out_of_fold is None:
        answers = teacher.predict(images)
    else:
        answers = _out_of_fold(teacher, len(train))[rows]
    true = np.eye(CLASSES, dtype=np.float32)[labels]
    mixed: npt.NDArray[np.float32] = (1 - share) * true + share * answers
    if not np.isfinite(mixed).all():
        raise BadInput(
            f"teacher={teacher.source}: it has no answer on some of the training rows in use; "
            "cross-validate on all of them"
        )
    return mixed


def _out_of_fold(teacher: "Teacher", rows: int) -> npt.NDArray[np.float32]:
    """(rows, 10) float32, the mean over repeats; NaN where there is none."""
    from fmnist.evaluation.tables import read_predictions  # with pandas

    numbers, answers = read_predictions(teacher.out_of_fold or b"")
    sums = np.zeros((rows, CLASSES), np.float32)
    np.add.at(sums, numbers, answers.probabilities)
    counts = np.bincount(numbers, minlength=rows)[:, np.newaxis]
    with np.errstate(invalid="ignore"):
        means: npt.NDArray[np.float32] = (sums / counts).astype(np.float32)
    return means
