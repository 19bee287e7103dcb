"""Find or create the run to work on, and log its parameters."""

import os
import shlex
import uuid
from collections.abc import Mapping
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Param
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException
from mlflow.tracking.context import registry
from mlflow.utils import name_utils

from fmnist import names
from fmnist.errors import BadInput
from fmnist.options import Options
from fmnist.system.identity import this_process
from fmnist.system.redaction import redact
from fmnist.tracking.client import create_run, find_run, get_or_create
from fmnist.tracking.errors import http_status, user_name
from fmnist.tracking.messages import store_address
from fmnist.tracking.orphans import end_orphans
from fmnist.tracking.preflight import launch_problem, reject_launched_run

_FORBIDDEN: Final = 403
_LAUNCHED_RUN: Final = "MLFLOW_RUN_ID"


def start_run(
    client: MlflowClient, kind: str, resume: str | None, start_time: int, name: str
) -> StoredRun:
    """Return the run to resume, else the one that `mlflow run` created, else a new one; RUNNING.

    Removes the run id of `mlflow run` from the environment when that run is used.

    Args:
        start_time: of a new run, in milliseconds since 1970.
        name: of a new run, and of one that MLflow has named.

    Raises:
        BadInput: the user has no write permission for the experiment, or MLFLOW_RUN_ID is not a run
            that was launched for this process.
    """
    launched = os.environ.get(_LAUNCHED_RUN)
    if resume in (None, launched):
        os.environ.pop(_LAUNCHED_RUN, None)
    try:
        end_orphans(client, current_experiment(client), resume)
        if launched and not resume:
            _check_launched(client, launched)
        if run_id := resume or launched:
            run = client.get_run(run_id)
            is_named = not is_generated(run.info.run_name or "")
            client.update_run(run_id, "RUNNING", None if is_named else name)
            return client.get_run(run_id)
        experiment_id = current_experiment(client)
        # Set at once, so that a run of a process that is killed now is recognized.
        own = {name: redact(text) for name, text in registry.resolve_tags().items()}
        tags = own | {
            names.TAG_KIND: kind,
            names.TAG_PROCESS: this_process(),
        }
        return create_run(client, experiment_id, uuid.uuid4().hex, start_time, tags, name)
    except MlflowException as error:
        if http_status(error) != _FORBIDDEN:
            raise
        raise BadInput(
            f"{user_name()} has no write permission for this experiment on the tracking server "
            f"{store_address()}; set MLFLOW_EXPERIMENT_NAME to another experiment, or ask for "
            "permission"
        ) from error


def _check_launched(client: MlflowClient, run_id: str) -> None:
    run = find_run(client, run_id)
    problem = (
        launch_problem(run.info.status, True, run.data.tags) if run else "no such run in this store"
    )
    if problem:
        reject_launched_run(run_id, problem)


def is_generated(name: str) -> bool:
    """Whether the name of a run was made up by MLflow, such as `brave-fox-711`."""
    adjective, _, rest = name.partition("-")
    noun, _, number = rest.partition("-")
    known = adjective in name_utils._GENERATOR_PREDICATES and noun in name_utils._GENERATOR_NOUNS
    return known and number.isdigit()


def current_experiment(client: MlflowClient) -> str:
    """Return the id of the experiment that the environment names, or of MLflow's default.

    An experiment named by MLFLOW_EXPERIMENT_NAME is created if necessary.
    """
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if not name:
        return os.environ.get("MLFLOW_EXPERIMENT_ID", "0")

    def find() -> str | None:
        experiment = client.get_experiment_by_name(name)
        return str(experiment.experiment_id) if experiment else None

    return get_or_create(find, lambda: str(client.create_experiment(name)))


def log_parameters(client: MlflowClient, run: StoredRun, options: Options, resumed: bool) -> None:
    """Log each parameter that is not logged yet.

    `mlflow run` has logged those that were given or that MLproject declares. A resumed run keeps
    the first value of options that do not affect the result.

    Raises:
        RuntimeError: an option is logged with another value.
    """
    logged = run.data.params
    stored = type(options).from_text(options.as_text() | unquote(logged))
    effective = options.fingerprint_fields()
    same = stored.fingerprint_fields() == effective if resumed else stored == options
    if not same:
        raise RuntimeError(f"the run already has other parameters: {stored}, expected {options}")
    params = [Param(k, text) for k, text in options.parameters().items() if k not in logged]
    client.log_batch(run.info.run_id, params=params)


def unquote(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters without the shell quotes with which `mlflow run` logs them."""
    return {name: _unquote(text) for name, text in parameters.items()}


def _unquote(text: str) -> str:
    try:
        return "".join(shlex.split(text))
    except ValueError:  # a single quote, so not logged by `mlflow run`
        return text
