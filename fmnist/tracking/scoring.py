"""MLflow's scoring server for a model of the registry, as an application to be served."""

import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import load_model, scoring_server

from fmnist.errors import BadInput
from fmnist.tracking.store import open_store

# An ASGI application: https://asgi.readthedocs.io/en/latest/specs/main.html
App = Callable[[dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Any]

_LOADER: Final = "mlflow.keras"  # opens one `.keras` file in Keras' safe mode, and runs no code
_RUNNING_CODE: Final = ("code", "model_code_path")  # of the model's own, while it is loaded


def scoring_app(uri: str, pixels: tuple[int, int]) -> App:
    """The server of a model of images of that size.

    Args:
        uri: such as `models:/lenet5@champion`; the alias is looked up now, once.

    Raises:
        BadInput: there is no such model, it takes something else, or to load it could run code.
    """
    open_store()
    with tempfile.TemporaryDirectory() as folder:
        try:
            place = Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder))
            _need_harmless(uri, Model.load(str(place)))
            model = load_model(str(place))
        except (MlflowException, OSError) as error:
            raise BadInput(
                f"{uri}: wanted a model of this registry, such as models:/lenet5@champion; {error}"
            ) from error
        except (TypeError, ValueError) as error:  # with which Keras refuses a file
            raise BadInput(f"{uri}: wanted a model that Keras opens safely, got {error}") from error
    schema = model.metadata.get_input_schema()  # type: ignore[no-untyped-call]
    shapes = [tuple(spec.shape) for spec in schema.inputs] if schema else []
    if shapes != [(-1, *pixels)]:
        raise BadInput(f"{uri}: wanted a model of images {(-1, *pixels)}, got one of {shapes}")
    app: App = scoring_server.init(model)
    return app


def _need_harmless(uri: str, described: Model) -> None:
    """Return if loading the model as it describes itself runs none of its own code.

    Raises:
        BadInput: it may; anybody who may register a model could plant it.
    """
    function = described.flavors.get("python_function", {})
    keras = described.flavors.get("keras", {})
    loader = function.get("loader_module")
    own = [key for key in _RUNNING_CODE if function.get(key)]
    if loader != _LOADER or own or keras.get("save_exported_model"):
        raise BadInput(
            f"{uri}: wanted a model as `train` logs it, which is loaded without running code of "
            f"its own (loader {_LOADER}), got loader {loader} {', '.join(own)}; train it here"
        )
