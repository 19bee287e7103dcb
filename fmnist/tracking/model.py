"""Store a Keras model so that it can be served, and load stored models as distillation teachers."""

from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mlflow
import numpy as np
import numpy.typing as npt
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.tracking.run import Run
from fmnist.tracking.search import RunStore
from fmnist.tracking.store import open_store

if TYPE_CHECKING:
    import keras

_REQUIREMENTS: Final = ("keras", "mlflow", "numpy", "pandas", "tensorflow")
_DATA: Final = "data"  # MLflow's directory for the weights
_TOLERANCE: Final = 1e-6


def log_model(
    run: Run,
    name: str,
    model: "keras.Model",
    images: npt.NDArray[np.uint8],
    class_names: tuple[str, ...],
    step: int,
    statistics: bytes = b"",
) -> int:
    """Store the model of the run and return its size in bytes.

    The saved model is loaded again and compared with the original before it is uploaded, and the
    uploaded files are compared before the run can be FINISHED.

    The flavor is MLflow's `keras`: one `.keras` file that Keras opens in safe mode. (The
    `tensorflow` flavor unpickles custom objects, which can run code.)

    Args:
        model: from uint8 (n, 28, 28) to float32 (n, classes), of standard Keras layers only.
        images: (n, 28, 28) uint8, to compare predictions; the first two are the input example.
        step: the epoch of the weights; links the model to the metrics of that epoch.
        statistics: file with statistics of the training images, stored next to the model.

    Raises:
        WorkFailed: the predictions of the loaded model differ.
    """
    sizes = []

    def write_files(folder: Path) -> None:
        _save(model, images, class_names, run.run_id, folder)
        _check_predictions(model, images, folder)
        if statistics:
            (folder / names.MODEL_STATISTICS).write_bytes(statistics)
        files = [path for path in (folder / _DATA).rglob("*") if path.is_file()]
        sizes.append(sum(path.stat().st_size for path in files))

    run.log_model(name, step, write_files)
    return sizes[0]


def model_bytes(client: MlflowClient, model_id: str) -> int:
    """Return the size of the stored files of the model in bytes."""
    files = client.list_logged_model_artifacts(model_id, _DATA)
    return sum(file.file_size or 0 for file in files)


def _save(
    model: "keras.Model",
    images: npt.NDArray[np.uint8],
    class_names: tuple[str, ...],
    run_id: str,
    folder: Path,
) -> None:
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype("uint8"), (-1, 28, 28))]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, len(class_names)))]),
    )
    mlflow.keras.save_model(
        model,
        path=str(folder),
        mlflow_model=Model(run_id=run_id, metadata={"class_names": list(class_names)}),
        signature=signature,
        input_example=images[:2],
        # Without this list MLflow loads the model in another process to infer it (22 s).
        pip_requirements=[f"{package}=={version(package)}" for package in _REQUIREMENTS],
    )


def _check_predictions(model: "keras.Model", images: npt.NDArray[np.uint8], folder: Path) -> None:
    with redirect_stdout(StringIO()):  # the pyfunc flavor prints Keras' progress bar
        predictions = mlflow.pyfunc.load_model(str(folder)).predict(images)
    difference = np.abs(predictions - model.predict(images, verbose=0)).max()
    if not difference <= _TOLERANCE:
        raise WorkFailed(
            f"a probability of the stored model differs from the trained one by {difference:.2g}; "
            f"at most {_TOLERANCE:g} is accepted"
        )


@dataclass(frozen=True)
class Teacher:
    """Source of soft labels for distillation.

    Args:
        source: permanent identifier: the run id of a cross-validation, or `models:/m-…`.
        out_of_fold: Parquet file with the predictions of a cross-validation, None for a model.
    """

    source: str
    out_of_fold: bytes | None = None

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the model's probabilities, (n, classes) float32, for images (n, 28, 28) uint8."""
        model = mlflow.keras.load_model(self.source)  # in safe mode
        predictions: npt.NDArray[np.float32] = model.predict(images, batch_size=1000, verbose=0)
        return predictions


def find_teacher(name: str, data_digest: str) -> Teacher:
    """Return the teacher with this name.

    Args:
        name: the id of a finished run of `crossval` or `train`, or `models:/NAME@ALIAS`.
        data_digest: of the training data; predictions of a cross-validation are stored by row, so
            it must have used the same data.

    Raises:
        BadInput: the run or model does not exist or cannot be used.
    """
    if name.startswith("models:/"):
        return Teacher(_logged_model(name))
    store = RunStore()
    run = store.find(name)
    if run is None:
        raise BadInput(
            f"teacher={name}: no such run in this tracking store; expected the id of a run of "
            "crossval or train, or models:/NAME@ALIAS"
        )
    if run.is_finished and run.kind == "train" and run.model_id:
        return Teacher(f"models:/{run.model_id}")
    if not run.is_finished or run.kind != "crossval":
        raise BadInput(
            f"teacher={name}: expected a FINISHED run of crossval or train, got a {run.kind} run "
            f"that is {run.status}"
        )
    if run.tags.get(names.TAG_DATA_DIGEST) != data_digest:
        raise BadInput(f"teacher={name}: that cross-validation used other data")
    files = store.download(run, [names.PREDICTIONS_OUT_OF_FOLD])
    if names.PREDICTIONS_OUT_OF_FOLD not in files:
        raise BadInput(f"teacher={name}: its {names.PREDICTIONS_OUT_OF_FOLD} is missing")
    return Teacher(name, files[names.PREDICTIONS_OUT_OF_FOLD])


def _logged_model(uri: str) -> str:
    """Return the URI of the logged model, which does not change when an alias moves."""
    name, _, alias = uri.removeprefix("models:/").partition("@")
    client = open_store()
    try:
        if alias:
            registered = client.get_model_version_by_alias(name, alias)
        elif "/" in name:
            registered = client.get_model_version(*name.split("/", 1))
        else:
            return f"models:/{client.get_logged_model(name).model_id}"
    except MlflowException as error:
        raise BadInput(
            f"teacher={uri}: no such model in this registry; expected models:/NAME@ALIAS or "
            f"models:/NAME/VERSION ({error})"
        ) from error
    return registered.source or uri
