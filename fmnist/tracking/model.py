"""A model so that it can be served, proved before it is stored."""

from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mlflow
import numpy as np
import numpy.typing as npt
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from fmnist.errors import WorkFailed
from fmnist.tracking.run import Run

if TYPE_CHECKING:
    import keras

_REQUIREMENTS: Final = ("keras", "mlflow", "numpy", "pandas", "tensorflow")
_DATA: Final = "data"  # MLflow's folder for the weights
_TOLERANCE: Final = 1e-6


def log_model(
    run: Run,
    model: "keras.Model",
    images: npt.NDArray[np.uint8],
    class_names: tuple[str, ...],
    step: int,
) -> int:
    """The size in bytes of the model that the run now has: it was loaded back from its files and
    gave the same answers, and the store must give back these files before the run can end well.

    The flavour is MLflow's `keras`: one `.keras` file that Keras opens in safe mode. (The
    `tensorflow` flavour unpickles custom objects that a stranger may have planted.)

    Args:
        model: from uint8 (n, 28, 28) to float32 (n, 10), of standard Keras layers only.
        images: (n, 28, 28) uint8, to compare answers on; the first two become the input example.
        step: the epoch whose weights these are; links the model to that epoch's metrics.

    Raises:
        WorkFailed: the stored model answers differently.
    """
    sizes = []

    def save(folder: Path) -> None:
        _save(model, images, class_names, run.run_id, folder)
        _need_equal_answers(model, images, folder)
        files = [path for path in (folder / _DATA).rglob("*") if path.is_file()]
        sizes.append(sum(path.stat().st_size for path in files))

    run.log_model(step, save)
    return sizes[0]


def model_bytes(client: MlflowClient, model_id: str) -> int:
    """The size of the model's files on the store, in bytes."""
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
        # Named, because MLflow would reload the model in another process to guess them (22 s).
        pip_requirements=[f"{package}=={version(package)}" for package in _REQUIREMENTS],
    )


def _need_equal_answers(model: "keras.Model", images: npt.NDArray[np.uint8], folder: Path) -> None:
    with redirect_stdout(StringIO()):  # Keras draws a progress bar for every prediction
        answers = mlflow.pyfunc.load_model(str(folder)).predict(images)
    difference = np.abs(answers - model.predict(images, verbose=0)).max()
    if not difference <= _TOLERANCE:
        raise WorkFailed(
            f"the stored model differs from the trained one by {difference:.2g} in a probability; "
            f"wanted at most {_TOLERANCE:g}"
        )
