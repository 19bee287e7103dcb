"""MLflow's scoring server for a registered model, restricted to models that run no own code."""

import tempfile
from typing import TYPE_CHECKING, Final

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import load_model, scoring_server

from fmnist.errors import BadInput
from fmnist.tracking.store import open_store

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_LOADER: Final = "mlflow.keras"  # loads one `.keras` file in safe mode
_CODE_KEYS: Final = ("code", "model_code_path")  # of MLflow models that bring Python files


def scoring_app(uri: str, image_shape: tuple[int, int]) -> "ASGIApp":
    """Load a model and return the scoring server as an ASGI application.

    Args:
        uri: such as `models:/lenet5@champion`; the alias is resolved now, once.

    Raises:
        BadInput: the model does not exist, has other inputs, or could run its own code.
    """
    open_store()
    with tempfile.TemporaryDirectory() as directory:
        try:
            path = mlflow.artifacts.download_artifacts(uri, dst_path=directory)
            _check_runs_no_code(uri, Model.load(path))
            model = load_model(path)
        except (MlflowException, OSError) as error:
            raise BadInput(
                f"{uri}: expected a model of this registry, such as models:/lenet5@champion; "
                f"{error}"
            ) from error
        except (TypeError, ValueError) as error:  # Keras rejects the file
            raise BadInput(f"{uri}: Keras cannot load this model in safe mode: {error}") from error
    schema = model.metadata.get_input_schema()  # type: ignore[no-untyped-call]
    shapes = [tuple(spec.shape) for spec in schema.inputs] if schema else []
    if shapes != [(-1, *image_shape)]:
        raise BadInput(f"{uri}: expected inputs of shape {(-1, *image_shape)}, got {shapes}")
    app: ASGIApp = scoring_server.init(model)
    return app


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
