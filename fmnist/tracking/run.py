"""An open run: everything that is told about one piece of work, and its truthful end."""

import os
import tempfile
import traceback
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import mlflow
from mlflow.entities import Param

from fmnist import names
from fmnist.errors import Interrupted, WorkDone
from fmnist.options import Options
from fmnist.system.signals import ignore_signals, interruption, signals_deferred
from fmnist.tracking.client import Client
from fmnist.tracking.clock import not_before, now
from fmnist.tracking.offline.delivery import Delivery
from fmnist.tracking.offline.journal import Fill
from fmnist.tracking.offline.queue import (
    Direct,
    Queue,
    check_journal,
    drained,
    queue_for,
    say_incomplete,
)
from fmnist.tracking.opening import opened
from fmnist.tracking.owner import this_process
from fmnist.tracking.parameters import missing
from fmnist.tracking.store import ignore_local_files, open_store
from fmnist.tracking.system_metrics import SystemMetrics, steps_before
from fmnist.tracking.told import NOTHING, Told, told_before
from fmnist.tracking.trouble import translate_errors

# Name, value, milliseconds since 1970, step.
Measured = tuple[str, float, int, int]

PARENT_TAG: Final = "mlflow.parentRunId"  # what nests a run in another
_TAG_LENGTH: Final = 500
_PATIENCE_SECONDS: Final = 60.0
_PATIENCE_IN_TROUBLE: Final = 10.0


class Run:
    """One run of the tracking store, open for writing; every call returns after it is stored, or
    kept on disk where the store is a server.

    Args:
        told: what a run that is resumed has already.
        queue: takes what is told; by default it is stored at once.
        token: of a nested run, which the store may not have yet; `run_id` is then its parent's.
    """

    def __init__(
        self,
        client: mlflow.MlflowClient,
        run_id: str,
        told: Told | None = None,
        queue: Queue | None = None,
        token: str = "",
    ) -> None:
        self.client = client
        self.run_id = run_id
        self.resumed = told is not None
        self._told = told or NOTHING
        self._outbox = queue or Direct(Delivery(client, run_id))
        self._token = token

    def log_options(self, options: Options) -> None:
        """Log every option as a parameter, under `mlflow run` only those not logged yet.

        What an option that was left to a recipe came to is logged beside it.

        In a run that is resumed, options that do not affect the result keep their first values.

        Raises:
            RuntimeError: a parameter is there with another meaning.
        """
        logged = self.client.get_run(self.run_id).data.params
        params = [Param(k, v) for k, v in missing(options, logged, self.resumed).items()]
        self.client.log_batch(self.run_id, params=params)

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of one epoch, counted from 1, in one request, unless the run has them."""
        if stop := interruption():
            raise stop
        if epoch not in self._told.epochs:
            self.log_step(epoch, metrics)

    def log_step(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log metrics that are measured again and again."""
        at = now()
        self.log_measured([(name, value, at, step) for name, value in metrics.items()])

    def log_summary(self, metrics: Mapping[str, float], of_model: bool = False) -> None:
        """Log metrics that a run has once, unless it has them; with `of_model` they describe its
        model too.
        """
        at, there = now(), self._told.metrics
        new = [(name, value, at, 0) for name, value in metrics.items() if name not in there]
        self.log_measured(new, of_model)

    def log_measured(self, metrics: Iterable[Measured], of_model: bool = False) -> None:
        """Log metrics with the time and the step of each."""
        told = [(name, float(value), at, step) for name, value, at, step in metrics]
        self._tell("metrics", metrics=told, of_model=of_model)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._tell("tags", tags=dict(tags))

    def forget_error(self) -> None:
        """Drop the reason for which the run ended before it was resumed."""
        if names.TAG_ERROR in self.client.get_run(self.run_id).data.tags:
            self.client.delete_tag(self.run_id, names.TAG_ERROR)

    def log_files(self, files: Mapping[str, bytes]) -> None:
        """Store files as artifacts, by their path within the run."""

        def fill(folder: Path) -> None:
            for name, content in files.items():
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

        self._tell("files", fill)

    def log_inputs(self, inputs: Iterable[Mapping[str, Any]]) -> None:
        """Record data sets as inputs: of each what MLflow says of it, and the context."""
        self._tell("inputs", inputs=list(inputs))

    def log_model(self, step: int, save: Fill) -> None:
        """Store the run's model, with the metrics of the epoch that its weights are of.

        Args:
            save: writes the files of the model into a folder, and raises if they will not do.
        """
        self._tell("model", save, step=step)

    def register(self, name: str, tags: Mapping[str, str]) -> None:
        """Let the run's model have a version of that name in the registry."""
        self._tell("register", name=name, tags=dict(tags))

    def nested(
        self,
        name: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
        started: int | None = None,
    ) -> "Run":
        """A run nested in this one, RUNNING since `started` (milliseconds since 1970) or now."""
        child = Run(self.client, self.run_id, queue=self._outbox, token=uuid.uuid4().hex)
        child._tell(
            "begin",
            name=name,
            tags={**tags, PARENT_TAG: self.run_id},
            params=dict(params),
            started=started or now(),
        )
        return child

    def end(self, status: str, at: int | None = None) -> None:
        """The last that is told of a run."""
        self._tell("end", status=status, at=at or now())

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

    def _tell(self, what: str, fill: Fill | None = None, **body: Any) -> None:
        self._outbox.keep({"what": what, "run": self._token, **body}, fill)


@contextmanager
def open_run(
    kind: str, options: Options, tags: Mapping[str, str], resume: str | None = None
) -> Iterator[Run]:
    """The run that `mlflow run` made for this process, or else a new one.

    With `resume` it is the run of that id, opened again; a run that `mlflow run` made besides
    points to it.

    It ends FINISHED, also when the work is done and has something to say; KILLED when a signal
    stops the work; FAILED on any other exception, with the reason in the tag `fmnist.error` and
    the traceback as `error.txt`. The exception goes on.

    Raises:
        WorkFailed, BadInput: the store cannot be used, see `open_store`, or no journal kept, see
            `check_journal`. BadInput too when the user may not write to the experiment.
        TrackingIncomplete: the work is done, but a tracking server has not got all of it.
    """
    client = open_store()
    check_journal(resume)
    with translate_errors(), ExitStack() as opening:
        opening.enter_context(signals_deferred())  # or a run could be made that nobody ends
        begun = opened(client, resume)
        run_id = begun.info.run_id
        queue = queue_for(client, run_id)
        run = Run(client, run_id, told_before(client, begun) if resume else None, queue)
        status, patience = "FAILED", float(os.environ.get(names.PATIENCE, _PATIENCE_SECONDS))
        try:
            opening.close()
            not_before(begun.info.start_time or 0)
            ignore_local_files(begun.info.artifact_uri)
            owned = {names.TAG_KIND: kind, names.TAG_PROCESS: this_process()}
            if study := os.environ.get(names.PARENT_RUN):
                owned[PARENT_TAG] = study
            run.set_tags({**owned, **tags})
            if resume:
                run.forget_error()
                continued = {names.TAG_CONTINUED_IN: resume}
                leave_launched_run(f"Continued in the run {resume}.", continued)
            run.log_options(options)
            with SystemMetrics(run.log_step, steps_before(client, begun)):
                yield run
            patience = drained(queue, patience)
            status = "FINISHED"
        except WorkDone:
            patience = drained(queue, patience)
            status = "FINISHED"
            raise
        except BaseException as error:
            ignore_signals()
            patience = min(patience, _PATIENCE_IN_TROUBLE)
            if stop := interruption():
                status = "KILLED"
            _log_error(run, stop or error)
            raise
        finally:
            try:
                with signals_deferred():
                    run.end(status)
            finally:
                drained(queue, patience)
                if unsent := queue.close():
                    say_incomplete(unsent)


def kill_run(run_id: str, stop: Interrupted) -> None:
    """Mark a run KILLED, with the signal as its reason, unless it has ended already."""
    run = Run(open_store(), run_id)
    if run.client.get_run(run_id).info.status == "RUNNING":
        _log_error(run, stop)
        run.client.set_terminated(run_id, "KILLED")


def leave_launched_run(note: str, tags: Mapping[str, str] | None = None) -> None:
    """Say in the run that `mlflow run` made for this process, if it did, why it stays empty."""
    if launched := os.environ.get("MLFLOW_RUN_ID"):
        run = Run(Client(), launched)
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
