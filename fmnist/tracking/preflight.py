"""Checks of the tracking store before any work, and before MLflow and TensorFlow are imported."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from fmnist import names
from fmnist.errors import BadInput
from fmnist.system.identity import process_state
from fmnist.tracking.address import (
    OTHER_STORE,
    configure_mlflow,
    database_path,
    is_server,
    local_path,
    tracking_uri,
)

if TYPE_CHECKING:
    from fmnist.tracking.lookup import Database, Server, Stored

_DEFAULT_EXPERIMENT: Final = "0"


def check_store(*, opens_run: bool = True, warn: Callable[[str], None] | None = None) -> None:
    """Check that the tracking store in MLFLOW_TRACKING_URI, or MLflow's default, can be used.

    Args:
        opens_run: also check the run and the experiment that the environment selects, and the
            location of its files.
        warn: receives a warning; by default it is printed.

    Raises:
        BadInput: the URI, the store, the run or the experiment cannot be used.
        WorkFailed: the server does not respond within 20 s (MLflow itself retries for minutes).
    """
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    configure_mlflow()
    uri = tracking_uri()
    path = database_path(uri)
    if path:
        _check_file(path)
        _remove_encoded_directory(given, path)
    if uri.startswith("file:"):
        return
    from fmnist.tracking import lookup

    if is_server(uri):
        lookup.check_server(uri)
    with suppress(lookup.Unknown):  # MLflow's calls will wait, or report the reason
        store = lookup.Server(uri) if is_server(uri) else lookup.Database(uri)
        if opens_run:
            _check_launched_run(store)
            experiment = _check_experiment(store)
            if path and experiment and isinstance(store, lookup.Database):
                _check_artifacts(store, path, experiment, warn or _print_warning)


def check_launched_run(run_id: str, status: str | None, tags: Mapping[str, str]) -> None:
    """Check that a run was created by `mlflow run` for this process.

    Args:
        status: of the run; None if there is no such run.

    Raises:
        BadInput: it was not; MLFLOW_RUN_ID is removed, so that nothing changes the run.
    """
    if status is None:
        problem = "no such run in the tracking store"
    elif status not in ("RUNNING", "SCHEDULED"):
        problem = f"this run is {status}"
    elif "mlflow.project.entryPoint" not in tags:
        problem = "this run was not created by `mlflow run`"
    elif process_state(tags.get(names.TAG_PROCESS, "")) == "running":
        problem = "another process works on this run"
    else:
        return
    os.environ.pop("MLFLOW_RUN_ID", None)
    raise BadInput(
        f"MLFLOW_RUN_ID={run_id}: {problem}; it is unchanged. Unset MLFLOW_RUN_ID and run "
        "again; only `mlflow run` should set it (to continue a run, use the option resume)"
    )


def import_mlflow_in_background() -> None:
    """Import MLflow in a thread, while the caller reads files, which releases Python's lock.

    At exit the process waits for the thread, because an interrupted import may crash.
    """

    def import_quietly() -> None:
        with suppress(Exception):
            import fmnist.tracking.store  # noqa: F401

    threading.Thread(target=import_quietly, name="import MLflow").start()


def open_store_in_background(then: Callable[[], None] = lambda: None) -> None:
    """Open the store in a thread, while the caller imports TensorFlow.

    Call `check_store` before. Errors are raised by the next call of `store.open_store`.

    Args:
        then: called in the same thread afterwards, for example to import what is needed last.
    """

    def open_quietly() -> None:
        with suppress(Exception):
            from fmnist.tracking.store import open_store

            open_store()
            then()

    threading.Thread(target=open_quietly, name="open store", daemon=True).start()


def _print_warning(text: str) -> None:
    print(f"tracking: {text}", file=sys.stderr)


def _check_file(database: Path) -> None:
    if database.is_dir() or not database.parent.is_dir():
        raise BadInput(
            f"{database}: expected the file of the tracking store in an existing directory; create "
            f"the directory (mkdir -p '{database.parent}'), {OTHER_STORE}"
        )
    for path in (database, database.parent):
        if path.exists() and not os.access(path, os.W_OK):
            raise BadInput(
                f"{path}: cannot be written; the tracking store is {database}; start in another "
                f"directory, {OTHER_STORE}"
            )


def _remove_encoded_directory(given: str, database: Path) -> None:
    """Remove the empty directory that `mlflow run` creates for a path that it has encoded.

    MLflow creates the parent of `sqlite:////tmp/a%20b/mlflow.db` without decoding its name.
    """
    encoded = Path(given.removeprefix("sqlite:///")).parent
    if "%" in encoded.name and Path(unquote(str(encoded))) == database.parent != encoded:
        with suppress(OSError):  # it does not exist, or contains files
            encoded.rmdir()


def _check_launched_run(store: "Database | Server") -> None:
    """Check MLFLOW_RUN_ID. The experiment of the launched run overrides other settings."""
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id is None:
        return
    run = store.run(run_id) if run_id else None
    is_deleted = run and run["lifecycle_stage"] != "active"
    status = "deleted" if is_deleted else run["status"] if run else None
    check_launched_run(run_id, status, run["tags"] if run else {})
    os.environ.pop("MLFLOW_EXPERIMENT_NAME", None)
    if run:
        os.environ["MLFLOW_EXPERIMENT_ID"] = str(run["experiment_id"])


def _check_experiment(store: "Database | Server") -> "Stored | None":
    """Return the experiment that the environment selects, None if it will be created."""
    name, given = os.environ.get("MLFLOW_EXPERIMENT_NAME"), os.environ.get("MLFLOW_EXPERIMENT_ID")
    for variable, value in (("MLFLOW_EXPERIMENT_NAME", name), ("MLFLOW_EXPERIMENT_ID", given)):
        if value is not None and not value.strip():
            raise BadInput(f"{variable} is empty; unset it, or set it to an experiment")
    if name:
        variable, experiment = f"MLFLOW_EXPERIMENT_NAME={name}", store.experiment(name=name)
        if given and given != (str(experiment["experiment_id"]) if experiment else ""):
            raise BadInput(
                f"{variable} and MLFLOW_EXPERIMENT_ID={given} are different experiments; unset one"
            )
    else:
        variable = f"MLFLOW_EXPERIMENT_ID={given}" if given else "the default experiment"
        experiment = store.experiment(experiment_id=given or _DEFAULT_EXPERIMENT)
        if experiment is None and given not in (None, _DEFAULT_EXPERIMENT):
            raise BadInput(f"{variable}: no such experiment in this tracking store; unset it")
    if experiment and experiment["lifecycle_stage"] != "active":
        raise BadInput(
            f"{variable}: the experiment {experiment['name']!r} is deleted; restore it (mlflow "
            f"experiments restore --experiment-id {experiment['experiment_id']}), or set "
            "MLFLOW_EXPERIMENT_NAME to another one"
        )
    return experiment


def _check_artifacts(
    store: "Database", database: Path, experiment: "Stored", warn: Callable[[str], None]
) -> None:
    """Report where the files of runs are stored, if that is not beside the store."""
    location = local_path(experiment["artifact_location"] or "")
    if location is None or database.parent.resolve() in location.resolve().parents:
        return
    if not location.is_dir() and store.count_runs(str(experiment["experiment_id"])):
        raise BadInput(
            f"{location}: the directory with the files of the experiment {experiment['name']!r} "
            f"does not exist; if {database} was moved or copied, run `python -m fmnist doctor "
            f"--relocate`, otherwise mkdir -p '{location}'"
        )
    warn(
        f"the files of runs are stored in {location}, not beside {database}; if the store was "
        "copied, run `python -m fmnist doctor --relocate`"
    )
