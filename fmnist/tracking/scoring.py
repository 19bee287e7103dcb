"""Load stored models that run no code of their own, and serve them with MLflow's server."""

import os
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import mlflow
import numpy as np
import numpy.typing as npt
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import PyFuncModel, load_model, scoring_server

from fmnist import names
from fmnist.errors import BadInput
from fmnist.tracking.search import RunStore
from fmnist.tracking.store import open_store

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_LOADER: Final = "mlflow.keras"  # loads one `.keras` file in safe mode
_CODE_KEYS: Final = ("code", "model_code_path")  # of MLflow models that bring Python files


@dataclass(frozen=True, eq=False)
class ScoredModel:
    """A loaded model.

    Args:
        model: MLflow's model.
        class_names: in label order.
        statistics: file with the statistics of the training images, empty if the model has none.
    """

    model: PyFuncModel
    class_names: tuple[str, ...]
    statistics: bytes

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return probabilities (n, classes) for images (n, 28, 28) uint8."""
        with redirect_stdout(StringIO()):  # Keras prints a progress bar
            return np.asarray(self.model.predict(images), np.float32)


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
            model = load_model(str(path))
        except (MlflowException, OSError) as error:
            raise BadInput(
                f"{uri}: expected a model of this registry, such as models:/lenet5@champion, "
                f"runs:/RUN_ID of a training, or a directory with a stored model; {error}"
            ) from error
        except (TypeError, ValueError) as error:  # Keras rejects the file
            raise BadInput(f"{uri}: Keras cannot load this model in safe mode: {error}") from error
        file = path / names.MODEL_STATISTICS
        statistics = file.read_bytes() if file.is_file() else b""
    inputs, outputs = model.metadata.get_input_schema(), model.metadata.get_output_schema()  # type: ignore[no-untyped-call]
    shapes = [tuple(spec.shape) for spec in inputs.inputs] if inputs else []
    if shapes != [(-1, *image_shape)]:
        raise BadInput(f"{uri}: expected inputs of shape {(-1, *image_shape)}, got {shapes}")
    class_names = (model.metadata.metadata or {}).get("class_names")
    if not class_names:
        class_names = map(str, range(outputs.inputs[0].shape[-1]))
    return ScoredModel(model, tuple(map(str, class_names)), statistics)


def scoring_app(model: ScoredModel) -> "ASGIApp":
    """Return MLflow's scoring server for a model as an ASGI application."""
    app: ASGIApp = scoring_server.init(model.model)
    return app


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
