"""Find or create the run to work on, log its parameters, and end one that is not used."""

import os
import shlex
import traceback
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Param, RunTag
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException
from mlflow.tracking.context import registry
from mlflow.utils import name_utils

from fmnist import names
from fmnist.errors import BadInput
from fmnist.options import Options
from fmnist.system.identity import this_process
from fmnist.system.redaction import redact
from fmnist.tracking.address import store_address
from fmnist.tracking.client import create_run, find_run, get_or_create
from fmnist.tracking.errors import is_denied, user_name
from fmnist.tracking.orphans import end_orphans
from fmnist.tracking.preflight import check_launched_run
from fmnist.tracking.store import open_store

_LAUNCHED_RUN: Final = "MLFLOW_RUN_ID"
TAG_LENGTH: Final = 500


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
        experiment_id = current_experiment(client)
        end_orphans(client, experiment_id, resume)
        if launched and not resume:
            run = find_run(client, launched)
            check_launched_run(
                launched, run.info.status if run else None, run.data.tags if run else {}
            )
        if run_id := resume or launched:
            is_named = not _is_generated(client.get_run(run_id).info.run_name or "")
            client.update_run(run_id, "RUNNING", None if is_named else name)
            return client.get_run(run_id)
        # Set at once, so that a run of a process that is killed now is recognized.
        own = {names.TAG_KIND: kind, names.TAG_PROCESS: this_process()}
        tags = {name: redact(text) for name, text in registry.resolve_tags().items()} | own
        return create_run(client, experiment_id, uuid.uuid4().hex, start_time, tags, name)
    except MlflowException as error:
        if not is_denied(error):
            raise
        raise BadInput(
            f"{user_name()} has no write permission for this experiment on the tracking server "
            f"{store_address()}; set MLFLOW_EXPERIMENT_NAME to another experiment, or ask for "
            "permission"
        ) from error


def leave_launched_run(note: str, name: str, tags: Mapping[str, str] | None = None) -> None:
    """Describe, name and end the run of `mlflow run`, if this process does not use it."""
    if launched := os.environ.get(_LAUNCHED_RUN):
        end_launched_run(launched, "FINISHED", name, {names.TAG_NOTE: note, **(tags or {})})


def end_launched_run(
    run_id: str, status: str, name: str, tags: Mapping[str, str], error: BaseException | None = None
) -> None:
    """End a run of `mlflow run` that this process has not opened, unless it has ended already.

    Args:
        name: replaces a name that MLflow has made up.
        error: the reason, if the work has failed.

    Raises:
        BadInput: MLFLOW_RUN_ID is not a run that was launched for this process.
    """
    client = open_store()
    run = client.get_run(run_id)
    if run.info.status != "RUNNING":
        return
    if run.data.tags.get(names.TAG_PROCESS) != this_process():
        check_launched_run(run_id, run.info.status, run.data.tags)
    if _is_generated(run.info.run_name or ""):
        client.update_run(run_id, name=name)
    if error:
        tags = {**tags, names.TAG_ERROR: describe_error(error)}
        text = "".join(traceback.format_exception(error))
        client.log_text(run_id, redact(text), names.ERROR_TEXT)
    client.log_batch(run_id, tags=[RunTag(key, redact(text)) for key, text in tags.items()])
    client.set_terminated(run_id, status)


def describe_error(error: BaseException) -> str:
    """Return the text of the tag `fmnist.error`."""
    return f"{type(error).__name__}: {error}"[:TAG_LENGTH]


def _is_generated(name: str) -> bool:
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
    unquoted = dict(parameters)
    for name, text in parameters.items():
        with suppress(ValueError):  # a single quote, so not logged by `mlflow run`
            unquoted[name] = "".join(shlex.split(text))
    return unquoted
