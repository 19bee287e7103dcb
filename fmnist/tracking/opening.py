"""The run to work on: an earlier one, that of `mlflow run`, or a new one."""

import os
import uuid

from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException
from mlflow.tracking import fluent
from mlflow.tracking.context import registry

from fmnist import names
from fmnist.errors import BadInput
from fmnist.tracking.attempts import get_or_create
from fmnist.tracking.client import answered
from fmnist.tracking.clock import now
from fmnist.tracking.offline.delivery import run_of_token
from fmnist.tracking.store import store_address, user_name

_FORBIDDEN = 403
_LAUNCHED = "MLFLOW_RUN_ID"


def opened(client: MlflowClient, resume: str | None) -> StoredRun:
    """The run of that id, else of the environment, else a new one; RUNNING.

    The environment forgets the run that is worked on.

    Raises:
        BadInput: the user may not write to the experiment.
    """
    launched = os.environ.get(_LAUNCHED)
    if resume in (None, launched):
        os.environ.pop(_LAUNCHED, None)
    try:
        if earlier := resume or launched:
            client.update_run(earlier, "RUNNING")
            return client.get_run(earlier)
        return _new(client)
    except MlflowException as error:
        if error.get_http_status_code() != _FORBIDDEN:  # type: ignore[no-untyped-call]
            raise
        raise BadInput(
            f"the tracking server {store_address()} lets {user_name()} in, but not write to "
            "this experiment; name one of your own in MLFLOW_EXPERIMENT_NAME, or ask for "
            "permission"
        ) from error


def experiment_in_use(client: MlflowClient) -> str:
    """The id of the experiment that the environment names, made if need be, or MLflow's default."""
    if name := os.environ.get("MLFLOW_EXPERIMENT_NAME"):

        def find() -> str | None:
            found = client.get_experiment_by_name(name)
            return str(found.experiment_id) if found else None

        get_or_create(find, lambda: str(client.create_experiment(name)))
    return str(answered(fluent._get_experiment_id))  # as mlflow.start_run would find it


def _new(client: MlflowClient) -> StoredRun:
    experiment, token = experiment_in_use(client), uuid.uuid4().hex
    tags = registry.resolve_tags({names.TAG_RECORD: token})
    return get_or_create(
        lambda: run_of_token(client, experiment, token),
        lambda: client.create_run(experiment, now(), tags),
    )
