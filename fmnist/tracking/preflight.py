"""Checks of the tracking store before any work, and before MLflow and TensorFlow are imported."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import unquote

from fmnist import names
from fmnist.errors import BadInput
from fmnist.system.identity import process_state
from fmnist.tracking.address import (
    configure_mlflow,
    database_path,
    is_server,
    local_path,
    tracking_uri,
)
from fmnist.tracking.health import OTHER_STORE, check_server

if TYPE_CHECKING:
    from fmnist.tracking.lookup import Database, Experiment, Server

_UNFINISHED: Final = ("RUNNING", "SCHEDULED")
_LAUNCHER_TAG: Final = "mlflow.project.entryPoint"
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
    warn = warn or _print_warning
    given = os.environ.get("MLFLOW_TRACKING_URI", "")
    configure_mlflow()
    uri = tracking_uri()
    path = database_path(uri)
    if path:
        _check_file(path)
        _remove_encoded_directory(given, path)
    if is_server(uri):
        check_server(uri)
    if uri.startswith("file:"):
        return
    from fmnist.tracking import lookup

    with suppress(lookup.Unknown):  # MLflow's calls will wait, or report the reason
        store = lookup.Server(uri) if is_server(uri) else lookup.Database(uri)
        if opens_run:
            _check_launched_run(store)
            experiment = _check_experiment(store)
            if path and experiment and isinstance(store, lookup.Database):
                _check_artifacts(store, path, experiment, warn)


def launch_problem(status: str, is_active: bool, tags: Mapping[str, str]) -> str:
    """Return why a run was not created by `mlflow run` for this process, "" if it was."""
    if not is_active:
        return "this run is deleted"
    if status not in _UNFINISHED:
        return f"this run is {status}"
    if _LAUNCHER_TAG not in tags:
        return "this run was not created by `mlflow run`"
    is_used = process_state(tags.get(names.TAG_PROCESS, "")) == "running"
    return "another process works on this run" if is_used else ""


def reject_launched_run(run_id: str, problem: str) -> NoReturn:
    """Raise BadInput, and forget the run, so that nothing changes it.

    Args:
        problem: why the run cannot be used.
    """
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
    if run is None:
        reject_launched_run(run_id, "no such run in the tracking store")
    elif problem := launch_problem(run.status, run.is_active, run.tags):
        reject_launched_run(run_id, problem)
    else:
        os.environ.pop("MLFLOW_EXPERIMENT_NAME", None)
        os.environ["MLFLOW_EXPERIMENT_ID"] = run.experiment_id


def _check_experiment(store: "Database | Server") -> "Experiment | None":
    """Return the experiment that the environment selects, None if it will be created."""
    name, given = os.environ.get("MLFLOW_EXPERIMENT_NAME"), os.environ.get("MLFLOW_EXPERIMENT_ID")
    for variable, value in (("MLFLOW_EXPERIMENT_NAME", name), ("MLFLOW_EXPERIMENT_ID", given)):
        if value is not None and not value.strip():
            raise BadInput(f"{variable} is empty; unset it, or set it to an experiment")
    if name:
        variable, experiment = f"MLFLOW_EXPERIMENT_NAME={name}", store.experiment(name=name)
        if given and given != (experiment.experiment_id if experiment else ""):
            raise BadInput(
                f"{variable} and MLFLOW_EXPERIMENT_ID={given} are different experiments; unset one"
            )
    else:
        variable = f"MLFLOW_EXPERIMENT_ID={given}" if given else "the default experiment"
        experiment = store.experiment(experiment_id=given or _DEFAULT_EXPERIMENT)
        if experiment is None and given not in (None, _DEFAULT_EXPERIMENT):
            raise BadInput(f"{variable}: no such experiment in this tracking store; unset it")
    if experiment and not experiment.is_active:
        raise BadInput(
            f"{variable}: the experiment {experiment.name!r} is deleted; restore it (mlflow "
            f"experiments restore --experiment-id {experiment.experiment_id}), or set "
            "MLFLOW_EXPERIMENT_NAME to another one"
        )
    return experiment


def _check_artifacts(
    store: "Database", database: Path, experiment: "Experiment", warn: Callable[[str], None]
) -> None:
    """Report where the files of runs are stored, if that is not beside the store."""
    location = local_path(experiment.artifact_location)
    if location is None or database.parent.resolve() in location.resolve().parents:
        return
    if not location.is_dir() and store.count_runs(experiment.experiment_id):
        raise BadInput(
            f"{location}: the directory with the files of the experiment {experiment.name!r} does "
            f"not exist; if {database} was moved or copied, run `python -m fmnist doctor "
            f"--relocate`, otherwise mkdir -p '{location}'"
        )
    warn(
        f"the files of runs are stored in {location}, not beside {database}; if the store was "
        "copied, run `python -m fmnist doctor --relocate`"
    )
