"""Logging a model so that it can be served, and proving it before the run may end well."""

from contextlib import redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import mlflow
import numpy as np
import numpy.typing as npt
from mlflow import MlflowClient
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from fmnist.errors import WorkFailed

if TYPE_CHECKING:
    import keras

_REQUIREMENTS: Final = ("keras", "mlflow", "numpy", "pandas", "tensorflow")
_TOLERANCE: Final = 1e-6


def log_model(
    model: "keras.Model",
    images: npt.NDArray[np.uint8],
    class_names: tuple[str, ...],
    step: int,
) -> str:
    """The id of the logged model, after it was loaded back and gave the same answers.

    The flavour is MLflow's `keras`: one `.keras` file that Keras opens in safe mode. (The
    `tensorflow` flavour unpickles custom objects that a stranger may have planted.)

    Args:
        model: from uint8 (n, 28, 28) to float32 (n, 10), of standard Keras layers only.
        images: (n, 28, 28) uint8, to compare answers on; the first two become the input example.
        step: the epoch whose weights these are; links the model to that epoch's metrics.

    Raises:
        WorkFailed: the stored model answers differently.
    """
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype("uint8"), (-1, 28, 28))]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, len(class_names)))]),
    )

    with redirect_stdout(StringIO()):  # Keras draws a progress bar for every prediction
        logged = Model.log(
            artifact_path=None,
            name="model",
            flavor=SimpleNamespace(save_model=_save_model),
            model=model,
            signature=signature,
            input_example=images[:2],
            # Named, because MLflow would reload the model in another process to guess them (22 s).
            pip_requirements=[f"{package}=={version(package)}" for package in _REQUIREMENTS],
            metadata={"class_names": list(class_names)},
            step=step,
        )
        answers = mlflow.pyfunc.load_model(logged.model_uri).predict(images)
    difference = np.abs(answers - model.predict(images, verbose=0)).max()
    if not difference <= _TOLERANCE:
        raise WorkFailed(
            f"the stored model {logged.model_uri} differs from the trained one by "
            f"{difference:.2g} in a probability; wanted at most {_TOLERANCE:g}"
        )
    return str(logged.model_id)


def model_bytes(client: MlflowClient, model_id: str) -> int:
    """The size of the model's files on the store, in bytes."""
    files = client.list_logged_model_artifacts(model_id, "data")
    return sum(file.file_size or 0 for file in files)


def register(model_id: str, name: str, tags: dict[str, str]) -> int:
    """The version number under which the logged model now stands in the registry."""
    return int(mlflow.register_model(f"models:/{model_id}", name, tags=tags).version)


def _save_model(path: str, **arguments: Any) -> None:
    # mlflow.keras writes the input example before it makes the folder that it belongs in.
    Path(path).mkdir(parents=True)
    mlflow.keras.save_model(path=path, **arguments)
