"""An open run: everything that is told about one piece of work, and its truthful end."""

import os
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import mlflow
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import BadInput, Interrupted
from fmnist.options import Options
from fmnist.process import ignore_signals, interruption, signals_deferred
from fmnist.tracking.owner import this_process
from fmnist.tracking.parameters import unquoted
from fmnist.tracking.store import ignore_local_files, open_store, store_address, user_name

PARENT_TAG: Final = "mlflow.parentRunId"  # what nests a run in another
_TAG_LENGTH: Final = 500
_FORBIDDEN: Final = 403


class Run:
    """One run of the tracking store, open for writing; every call returns after it is stored."""

    def __init__(self, client: mlflow.MlflowClient, run_id: str, resumed: bool = False) -> None:
        self.client = client
        self.run_id = run_id
        self.resumed = resumed

    def log_options(self, options: Options) -> None:
        """Log every option as a parameter, under `mlflow run` only those not logged yet.

        What an option that was left to a recipe came to is logged beside it.

        In a run that is resumed, options that do not affect the result keep their first values.

        Raises:
            RuntimeError: a parameter is there with another meaning.
        """
        logged = self.client.get_run(self.run_id).data.params
        stored = type(options).from_text(options.as_text() | unquoted(logged))
        same = (
            stored.affecting_result() == options.affecting_result()
            if self.resumed
            else stored == options
        )
        if not same:
            raise RuntimeError(f"the run already has other parameters: {stored} and not {options}")
        asked, done = options.as_text(), options.affecting_result()
        used = {f"{names.USED}{k}": v for k, v in done.items() if v != asked[k]}
        missing = [Param(k, v) for k, v in (asked | used).items() if k not in logged]
        self.client.log_batch(self.run_id, params=missing)

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of one epoch, counted from 1, in one request."""
        if stop := interruption():
            raise stop
        self._log_metrics(epoch, metrics)

    def log_summary(self, metrics: Mapping[str, float], model_id: str | None = None) -> None:
        """Log metrics that a run has once; with `model_id` they describe that logged model too."""
        self._log_metrics(0, metrics, model_id)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.client.log_batch(self.run_id, tags=[RunTag(k, v) for k, v in tags.items()])

    def forget_error(self) -> None:
        """Drop the reason for which the run ended before it was resumed."""
        if names.TAG_ERROR in self.client.get_run(self.run_id).data.tags:
            self.client.delete_tag(self.run_id, names.TAG_ERROR)

    def log_files(self, files: Mapping[str, bytes]) -> None:
        """Store files as artifacts, by their path within the run, in one upload."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            self.client.log_artifacts(self.run_id, folder)

    def files_of(self, run_id: str) -> dict[str, bytes]:
        """All artifacts of a run of the same store, by their path within that run."""
        with tempfile.TemporaryDirectory() as folder:
            self.client.download_artifacts(run_id, "", folder)
            paths = [path for path in Path(folder).rglob("*") if path.is_file()]
            return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    def environment_of_steps(self) -> dict[str, str]:
        """The environment of a process whose run is to be nested in this one."""
        kept = {name: text for name, text in os.environ.items() if name != "MLFLOW_RUN_ID"}
        return kept | {
            "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri(),
            "MLFLOW_EXPERIMENT_ID": self.client.get_run(self.run_id).info.experiment_id,
            names.PARENT_RUN: self.run_id,
        }

    def _log_metrics(
        self, step: int, metrics: Mapping[str, float], model_id: str | None = None
    ) -> None:
        now = int(time.time() * 1000)
        batch = [
            Metric(name, value, now, step, model_id=model_id, run_id=self.run_id)
            for name, value in metrics.items()
        ]
        self.client.log_batch(self.run_id, metrics=batch)


@contextmanager
def open_run(
    kind: str, options: Options, tags: Mapping[str, str], resume: str | None = None
) -> Iterator[Run]:
    """The run that `mlflow run` made for this process, or else a new one.

    With `resume` it is the run of that id, opened again; a run that `mlflow run` made besides
    points to it.

    It ends FINISHED; KILLED when a signal stops the work; FAILED on any other exception, with the
    reason in the tag `fmnist.error` and the traceback as `error.txt`. The exception goes on.

    Raises:
        WorkFailed, BadInput: the store cannot be used; see `open_store`. BadInput too when the
            user may not write to the experiment.
    """
    client = open_store()
    with signals_deferred():  # or a run could be made that nobody knows of
        try:
            active = mlflow.start_run(run_id=resume, log_system_metrics=True)
        except MlflowException as error:
            if error.get_http_status_code() != _FORBIDDEN:  # type: ignore[no-untyped-call]
                raise
            raise BadInput(
                f"the tracking server {store_address()} lets {user_name()} in, but not write to "
                "this experiment; name one of your own in MLFLOW_EXPERIMENT_NAME, or ask for "
                "permission"
            ) from error
    status = "FAILED"
    run = Run(client, active.info.run_id, resumed=resume is not None)
    try:
        ignore_local_files(active.info.artifact_uri)
        owned = {names.TAG_KIND: kind, names.TAG_PROCESS: this_process()}
        if study := os.environ.get(names.PARENT_RUN):
            owned[PARENT_TAG] = study
        run.set_tags({**owned, **tags})
        if resume:
            run.forget_error()
            leave_launched_run(f"Continued in the run {resume}.", {names.TAG_CONTINUED_IN: resume})
        run.log_options(options)
        yield run
        status = "FINISHED"
    except BaseException as error:
        ignore_signals()
        if stop := interruption():
            status = "KILLED"
        _log_error(run, stop or error)
        raise
    finally:
        mlflow.end_run(status)


def kill_run(run_id: str, stop: Interrupted) -> None:
    """Mark a run KILLED, with the signal as its reason, unless it has ended already."""
    run = Run(open_store(), run_id)
    if run.client.get_run(run_id).info.status == "RUNNING":
        _log_error(run, stop)
        run.client.set_terminated(run_id, "KILLED")


def leave_launched_run(note: str, tags: Mapping[str, str] | None = None) -> None:
    """Say in the run that `mlflow run` made for this process, if it did, why it stays empty."""
    if launched := os.environ.get("MLFLOW_RUN_ID"):
        run = Run(mlflow.MlflowClient(), launched)
        run.set_tags({names.TAG_NOTE: note, **(tags or {})})
        run.client.set_terminated(launched, "FINISHED")


def _log_error(run: Run, error: BaseException) -> None:
    """Say in the run why it ended; a store that fails here must not hide the first error."""
    try:
        reason = f"{type(error).__name__}: {error}"
        run.set_tags({names.TAG_ERROR: reason[:_TAG_LENGTH]})
        run.log_files({names.ERROR_TEXT: "".join(traceback.format_exception(error)).encode()})
    except Exception as another:
        error.add_note(f"the reason could not be stored in the run: {another}")
