"""MLflow's scoring server for a model of the registry, as an application to be served."""

from collections.abc import Awaitable, Callable
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.pyfunc import load_model, scoring_server

from fmnist.errors import BadInput
from fmnist.tracking.store import open_store

# An ASGI application: https://asgi.readthedocs.io/en/latest/specs/main.html
App = Callable[[dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]], Any]


def scoring_app(uri: str, pixels: tuple[int, int]) -> App:
    """The server of a model of images of that size.

    Args:
        uri: such as `models:/lenet5@champion`; the alias is looked up now, once.

    Raises:
        BadInput: there is no such model, or it takes something else.
    """
    open_store()
    try:
        model = load_model(uri)
    except (MlflowException, OSError) as error:
        raise BadInput(
            f"{uri}: wanted a model of this registry, such as models:/lenet5@champion; {error}"
        ) from error
    schema = model.metadata.get_input_schema()  # type: ignore[no-untyped-call]
    shapes = [tuple(spec.shape) for spec in schema.inputs] if schema else []
    if shapes != [(-1, *pixels)]:
        raise BadInput(f"{uri}: wanted a model of images {(-1, *pixels)}, got one of {shapes}")
    app: App = scoring_server.init(model)
    return app
