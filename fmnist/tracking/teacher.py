"""A teacher for distillation, as the tracking store has it: a cross-validation, or a model."""

from dataclasses import dataclass

import mlflow
import numpy as np
import numpy.typing as npt
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import BadInput
from fmnist.tracking.logged import RunStore
from fmnist.tracking.store import open_store


@dataclass(frozen=True)
class Teacher:
    """Where soft labels come from.

    Args:
        source: what does not change any more: the run of a cross-validation, or `models:/m-…`.
        out_of_fold: the file with the answers of a cross-validation, None for a model.
    """

    source: str
    out_of_fold: bytes | None = None

    def answers(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """What the model answers, (n, 10) float32, on images (n, 28, 28) uint8; needs Keras.

        The file is opened by Keras in safe mode, whoever has logged it.
        """
        model = mlflow.keras.load_model(self.source)
        answers: npt.NDArray[np.float32] = model.predict(images, batch_size=1000, verbose=0)
        return answers


def found(named: str, data_digest: str) -> Teacher:
    """The teacher that a user named: the id of a run, or a model of the registry.

    Args:
        named: the id of a done run of `crossval` or `train`, or `models:/NAME@ALIAS`.
        data_digest: of the data whose rows are to be taught; a cross-validation must have had the
            same, since its answers are by row.

    Raises:
        BadInput: there is no such run or model, or it cannot teach.
    """
    if named.startswith("models:/"):
        return Teacher(_model(named))
    shelf = RunStore()
    try:
        [run] = shelf.named([named])
    except BadInput as error:
        raise BadInput(
            f"teacher={named}: no such run on this tracking store; wanted the id of a run of "
            "crossval or train, or models:/NAME@ALIAS"
        ) from error
    if run.done and run.kind == "train" and run.model_id:
        return Teacher(f"models:/{run.model_id}")
    if not run.done or run.kind != "crossval":
        raise BadInput(
            f"teacher={named}: wanted a run of crossval or train that is FINISHED, got a "
            f"{run.kind} that is {run.status}"
        )
    if run.tags.get(names.TAG_DATA_DIGEST) != data_digest:
        raise BadInput(f"teacher={named}: that cross-validation was of other data")
    files = shelf.files(run, [names.PREDICTIONS_OUT_OF_FOLD])
    if names.PREDICTIONS_OUT_OF_FOLD not in files:
        raise BadInput(f"teacher={named}: its {names.PREDICTIONS_OUT_OF_FOLD} is gone")
    return Teacher(named, files[names.PREDICTIONS_OUT_OF_FOLD])


def _model(uri: str) -> str:
    """The logged model behind a name of the registry, which aliases do not move."""
    name, _, alias = uri.removeprefix("models:/").partition("@")
    client = open_store()
    try:
        if alias:
            version = client.get_model_version_by_alias(name, alias)
        elif "/" in name:
            version = client.get_model_version(*name.split("/", 1))
        else:
            return f"models:/{client.get_logged_model(name).model_id}"
    except MlflowException as error:
        raise BadInput(
            f"teacher={uri}: no such model in this registry; wanted models:/NAME@ALIAS or "
            f"models:/NAME/VERSION ({error})"
        ) from error
    return version.source or uri
