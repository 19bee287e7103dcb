"""MLflow's client, made robust against outages, locked databases, signals and lost responses."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MethodType
from typing import Any, Final, ParamSpec, TypeVar

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.store.entities import PagedList
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from fmnist import names
from fmnist.system.signals import signals_deferred
from fmnist.tracking.address import is_server, store_address
from fmnist.tracking.errors import already_exists, is_locked, is_outage

P = ParamSpec("P")
T = TypeVar("T")

# Plain text: lists of models show the Markdown source.
REGISTERED_MODEL: Final = (
    "Classifier of 28 x 28 grayscale images: uint8 (n, 28, 28) to probabilities of the classes. "
    "Alias champion: the version in use. Alias challenger: the newest version that passed the "
    "gates of promote. Tag validation_status: whether a version passed them."
)
_RETRY_PAUSES: Final = (1, 2, 4, 8)  # seconds before each repetition
_NOT_FOUND: Final = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_LOCK_TIMEOUT_SECONDS: Final = 300.0
_LOCK_PAUSE_SECONDS: Final = 0.2  # sqlite itself waits for 20 s


class Client(MlflowClient):
    """Client of the store in use that passes each public call through `call_store`.

    `create_…` methods are not repeated, because a lost response does not mean that nothing was
    created; use `get_or_create` for these.
    """

    def __getattribute__(self, name: str) -> Any:
        attribute = super().__getattribute__(name)
        if name.startswith("_") or not isinstance(attribute, MethodType):
            return attribute
        if is_server(mlflow.get_tracking_uri()) and name.startswith("create_"):
            return attribute
        return partial(call_store, attribute)


def call_store(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses the store.

    Requests to a server are repeated after an outage, for about 15 s. A call to a database defers
    signals, since an interrupted call would leave sqlite locked by this process, and waits up to
    five minutes while another process has the database locked.
    """
    call = partial(function, *args, **kwargs)
    if not is_server(mlflow.get_tracking_uri()):
        return _call_database(call)
    for pause in _RETRY_PAUSES:
        try:
            return call()
        except Exception as error:
            if not is_outage(error):
                raise
        time.sleep(pause)
    return call()


def _call_database(call: Callable[[], T]) -> T:
    started, announced = time.monotonic(), False
    while True:
        try:
            with signals_deferred():
                return call()
        except Exception as error:
            if not is_locked(error) or time.monotonic() - started > _LOCK_TIMEOUT_SECONDS:
                raise
        if not announced:
            text = f"tracking: {store_address()} is locked by another process; waiting for it"
            print(text, file=sys.stderr, flush=True)
            announced = True
        time.sleep(_LOCK_PAUSE_SECONDS)


def find_run(client: MlflowClient, run_id: str) -> StoredRun | None:
    """Return the run, None if there is none or it was deleted."""
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in _NOT_FOUND:
            raise
        return None
    return run if run.info.lifecycle_stage == "active" else None


def get_or_create(find: Callable[[], T | None], create: Callable[[], T]) -> T:
    """Return what `find` finds, otherwise what `create` creates, exactly once.

    When the response to `create` is lost, `find` runs again before the next attempt.
    """
    for pause in _RETRY_PAUSES:
        if (existing := find()) is not None:
            return existing
        try:
            return create()
        except Exception as error:
            if not (is_outage(error) or already_exists(error)):
                raise
        time.sleep(pause)
    existing = find()
    return create() if existing is None else existing


def search_all(search: Callable[..., PagedList[T]], *args: Any, **kwargs: Any) -> Iterator[T]:
    """Yield the results of all pages of a `search_…` method of the client."""
    token: str | None = ""
    while token is not None:
        page = search(*args, page_token=token or None, **kwargs)
        yield from page
        token = page.token or None


def create_run(
    client: MlflowClient,
    experiment_id: str,
    token: str,
    start_time: int,
    tags: Mapping[str, str],
    name: str | None = None,
) -> StoredRun:
    """Create a run, or return the one that was created with this token before.

    Args:
        start_time: milliseconds since 1970.
    """
    tags = {**tags, names.TAG_RECORD: token}

    def find() -> StoredRun | None:
        runs = client.search_runs([experiment_id], f"tags.`{names.TAG_RECORD}` = '{token}'")
        return runs[0] if runs else None

    return get_or_create(find, lambda: client.create_run(experiment_id, start_time, tags, name))


def register_version(
    client: MlflowClient,
    model_id: str,
    name: str,
    tags: Mapping[str, str],
    description: str | None = None,
) -> int:
    """Register a logged model, if it is not registered yet, and return its version number."""
    source = f"models:/{model_id}"

    def find() -> ModelVersion | None:
        versions = search_all(client.search_model_versions, f"name='{name}'")
        return next((version for version in versions if version.source == source), None)

    def create() -> ModelVersion:
        try:
            client.create_registered_model(name, description=REGISTERED_MODEL)
        except MlflowException as error:
            if not already_exists(error):
                raise
        return client.create_model_version(
            name, source, tags=dict(tags), description=description, model_id=model_id
        )

    version = get_or_create(find, create)
    # The page of the logged model in MLflow's UI reads its versions from this tag.
    listed = json.loads(client.get_logged_model(model_id).tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
    entry = {"name": name, "version": version.version}
    if entry not in listed:
        tag = {MLFLOW_MODEL_VERSIONS: json.dumps([*listed, entry])}
        client.set_logged_model_tags(model_id, tag)
    return int(version.version)
