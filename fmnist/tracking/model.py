"""Store Keras models, and load stored ones for serving and as teachers of a distillation.

The flavor is MLflow's `keras`: one `.keras` file that Keras opens in safe mode. (The `tensorflow`
flavor unpickles custom objects, which can run code.)
"""

import os
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mlflow
import numpy as np
import numpy.typing as npt
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.system.console import suppress_stderr
from fmnist.tracking.run import Run
from fmnist.tracking.search import RunStore
from fmnist.tracking.store import open_store

if TYPE_CHECKING:
    import keras
    from mlflow.pyfunc import PyFuncModel
    from starlette.types import ASGIApp

WEIGHTS_DIR: Final = "data"  # MLflow's name
_REQUIREMENTS: Final = ("keras", "mlflow", "numpy", "pandas", "tensorflow")
_TOLERANCE: Final = 1e-6
_LOADER: Final = "mlflow.keras"
_CODE_KEYS: Final = ("code", "model_code_path")  # of MLflow models that bring Python files


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

    Args:
        model: from uint8 (n, 28, 28) to float32 (n, classes), of standard Keras layers only.
        images: (n, 28, 28) uint8, to compare predictions; the first two are the input example.
        step: the epoch of the weights; links the model to the metrics of that epoch.
        statistics: file with statistics of the training images, stored next to the model.

    Raises:
        WorkFailed: the predictions of the loaded model differ.
    """
    sizes = []
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype("uint8"), (-1, 28, 28))]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, len(class_names)))]),
    )

    def write_files(folder: Path) -> None:
        mlflow.keras.save_model(
            model,
            path=str(folder),
            mlflow_model=Model(run_id=run.run_id, metadata={"class_names": list(class_names)}),
            signature=signature,
            input_example=images[:2],
            # Without this list MLflow loads the model in another process to infer it (22 s).
            pip_requirements=[f"{package}=={version(package)}" for package in _REQUIREMENTS],
        )
        stored = _predict(mlflow.pyfunc.load_model(str(folder)), images)
        difference = np.abs(stored - model.predict(images, verbose=0)).max()
        if not difference <= _TOLERANCE:
            raise WorkFailed(
                f"a probability of the stored model differs from the trained one by "
                f"{difference:.2g}; at most {_TOLERANCE:g} is accepted"
            )
        if statistics:
            (folder / names.MODEL_STATISTICS).write_bytes(statistics)
        files = [path for path in (folder / WEIGHTS_DIR).rglob("*") if path.is_file()]
        sizes.append(sum(path.stat().st_size for path in files))

    run.log_model(name, step, write_files)
    return sizes[0]


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
    if not files:
        raise BadInput(f"teacher={name}: its {names.PREDICTIONS_OUT_OF_FOLD} is missing")
    return Teacher(name, files[names.PREDICTIONS_OUT_OF_FOLD])


def _logged_model(uri: str) -> str:
    """Return the URI of the logged model, which does not change when an alias moves."""
    open_store()
    try:
        model_id = Model.load(uri).model_id
    except (MlflowException, OSError) as error:
        raise BadInput(
            f"teacher={uri}: no such model in this registry; expected models:/NAME@ALIAS or "
            f"models:/NAME/VERSION ({error})"
        ) from error
    return f"models:/{model_id}" if model_id else uri


@dataclass(frozen=True, eq=False)
class ScoredModel:
    """A loaded model.

    Args:
        model: MLflow's model.
        class_names: in label order.
        statistics: file with the statistics of the training images, empty if the model has none.
    """

    model: "PyFuncModel"
    class_names: tuple[str, ...]
    statistics: bytes

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (n, classes) for images (n, 28, 28) uint8."""
        return _predict(self.model, images)


def load_scored_model(uri: str, image_shape: tuple[int, int]) -> ScoredModel:
    """Load a model that runs no code of its own.

    Args:
        uri: `models:/lenet5@champion` (the alias is resolved now, once), `runs:/RUN_ID`, or a
            directory.

    Raises:
        BadInput: the model does not exist, has other inputs, or could run its own code.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"  # also if the user has another setting
    if not os.path.isdir(uri):
        open_store()
    with tempfile.TemporaryDirectory() as directory:
        try:
            path = Path(mlflow.artifacts.download_artifacts(_resolve(uri), dst_path=directory))
            _check_runs_no_code(uri, Model.load(str(path)))
            with suppress_stderr():  # imports TensorFlow
                model = mlflow.pyfunc.load_model(str(path))
        except (MlflowException, OSError) as error:
            raise BadInput(
                f"{uri}: expected a model of this registry, such as models:/lenet5@champion, "
                f"runs:/RUN_ID of a training, or a directory with a stored model; {error}"
            ) from error
        except (TypeError, ValueError) as error:  # Keras rejects the file
            raise BadInput(f"{uri}: Keras cannot load this model in safe mode: {error}") from error
        file = path / names.MODEL_STATISTICS
        statistics = file.read_bytes() if file.is_file() else b""
    inputs, outputs = model.metadata.get_input_schema(), model.metadata.get_output_schema()
    shapes = [tuple(spec.shape) for spec in inputs.inputs] if inputs else []
    if shapes != [(-1, *image_shape)]:
        raise BadInput(f"{uri}: expected inputs of shape {(-1, *image_shape)}, got {shapes}")
    class_names = (model.metadata.metadata or {}).get("class_names")
    class_names = class_names or range(outputs.inputs[0].shape[-1])
    return ScoredModel(model, tuple(map(str, class_names)), statistics)


def scoring_app(model: ScoredModel) -> "ASGIApp":
    """Return MLflow's scoring server for a model as an ASGI application."""
    from mlflow.pyfunc import scoring_server  # imports a web framework

    app: ASGIApp = scoring_server.init(model.model)
    return app


def _predict(model: "PyFuncModel", images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    with redirect_stdout(StringIO()):  # Keras prints a progress bar
        return np.asarray(model.predict(images), np.float32)


def _resolve(uri: str) -> str:
    """Return the URI of the model that a run has logged, or the URI itself."""
    run_id, _, name = uri.removeprefix("runs:/").partition("/")
    if not uri.startswith("runs:/") or name:
        return uri
    run = RunStore().find(run_id)
    if run is None or not run.model_id:
        raise BadInput(f"{uri}: expected a run of train that has logged a model, got none")
    return f"models:/{run.model_id}"


def _check_runs_no_code(uri: str, model: Model) -> None:
    """Check that loading the model executes only code of Keras.

    Raises:
        BadInput: it may execute other code, which anyone who can register a model could provide.
    """
    pyfunc, keras = (model.flavors.get(name, {}) for name in ("python_function", "keras"))
    loader = pyfunc.get("loader_module")
    own_code = [key for key in _CODE_KEYS if pyfunc.get(key)]
    if loader != _LOADER or own_code or keras.get("save_exported_model"):
        raise BadInput(
            f"{uri}: expected a model logged by `train`, which loads without code of its own "
            f"(loader {_LOADER}), got loader {loader} {', '.join(own_code)}; train it here"
        )
