"""Classify photos with a stored model: `python -m fmnist predict`, and `serve`."""

import base64
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from fmnist.data.idx import SIDE, Bytes
from fmnist.data.image_statistics import ImageStatistics
from fmnist.errors import BadInput
from fmnist.serving import photo
from fmnist.tracking.preflight import check_store

if TYPE_CHECKING:
    from fmnist.tracking.model import ScoredModel

_ANSWERS: Final = 3  # most probable classes that are printed


@dataclass(frozen=True, eq=False)
class Classifier:
    """A model for photos.

    Args:
        predict: from images (n, 28, 28) uint8 to probabilities (n, classes).
        class_names: in label order.
        statistics: of the training images, None if the model has none.
    """

    predict: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
    class_names: tuple[str, ...]
    statistics: ImageStatistics | None

    def classify(self, photos: Sequence[tuple[str, Bytes]]) -> list["Answer"]:
        """Classify photos, each given with its name and its pixels as from `photo.decode`.

        Raises:
            BadInput: a photo shows no object.
        """
        prepared = [photo.prepare(one, name, self.statistics) for name, one in photos]
        images = np.stack([one.image for one in prepared])
        distances = np.full(len(images), np.nan)
        if self.statistics:
            distances = self.statistics.distances(images) / self.statistics.limit
        return [
            Answer(name, one, dict(zip(self.class_names, map(float, row), strict=True)), float(far))
            for (name, _), one, row, far in zip(
                photos, prepared, self.predict(images), distances, strict=True
            )
        ]


@dataclass(frozen=True, eq=False)
class Answer:
    """The answer for one photo.

    Args:
        probabilities: by class name, in label order.
        distance: to the training images, relative to the limit that 1 % of them exceed; NaN if
            the model has no statistics of its training images.
    """

    name: str
    prepared: photo.Prepared
    probabilities: dict[str, float]
    distance: float

    @property
    def most_probable(self) -> list[tuple[str, float]]:
        """Classes and probabilities, most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    @property
    def warning(self) -> str:
        """Why the answer may be wrong, "" if the image is like the training images."""
        if np.isnan(self.distance):
            return (
                "the model has no statistics of its training images, so it was not checked whether "
                "this image is like them"
            )
        if self.distance <= 1:
            return ""
        return (
            f"unlike the training images (distance {self.distance:.1f} times the limit that 1 % of "
            "them exceed): the answer may be wrong"
        )

    @property
    def image_uri(self) -> str:
        """The image that the model received, as a data URI."""
        png = photo.encode_png(self.prepared.image)
        return f"data:image/png;base64,{base64.b64encode(png).decode()}"

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "file": self.name,
            "class": self.most_probable[0][0],
            "probabilities": self.probabilities,
            "notes": list(self.prepared.notes),
            "warning": self.warning or None,
            "distance": None if np.isnan(self.distance) else round(self.distance, 3),
            "image": self.image_uri,
        }


def predict(model: str, files: Sequence[Path], save: Path | None) -> None:
    """Print the most probable classes of each photo.

    Args:
        model: `models:/NAME@ALIAS`, `runs:/RUN_ID`, or a directory with a stored model.
        save: directory for the images that the model receives; None to save none.

    Raises:
        BadInput: a file or the model cannot be used; nothing is printed.
    """
    photos = [(str(path), photo.decode(_read(path), str(path))) for path in files]
    for answer in as_classifier(load_model(model)).classify(photos):
        best = ", ".join(f"{name} {100 * p:.1f} %" for name, p in answer.most_probable[:_ANSWERS])
        print(f"{answer.name}: {best}\n  {'; '.join(answer.prepared.notes)}")
        if answer.warning:
            print(f"  warning: {answer.warning}")
        if save:
            save.mkdir(parents=True, exist_ok=True)
            path = save / f"{Path(answer.name).stem}-28x28.png"
            path.write_bytes(photo.encode_png(answer.prepared.image))
            print(f"  saved {path}")


def load_model(model: str) -> "ScoredModel":
    """Load a model that runs no code of its own; see `tracking.model`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not os.path.isdir(model):
        check_store(opens_run=False)
    from fmnist.tracking.model import load_scored_model

    return load_scored_model(model, (SIDE, SIDE))


def as_classifier(stored: "ScoredModel") -> Classifier:
    """Return a classifier that uses a loaded model."""
    statistics = ImageStatistics.from_bytes(stored.statistics) if stored.statistics else None
    return Classifier(stored.predict, stored.class_names, statistics)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BadInput(f"{path}: expected a PNG or JPEG file, got no such file")
        with path.open("rb") as file:
            return file.read(photo.MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}") from error
