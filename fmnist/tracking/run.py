"""A tracked run: log parameters, metrics, files and the model, and end it with the true status.

Logging one epoch takes four calls: the callback of the training calls `Run.log_epoch`, which calls
`Queue.put` (a record on disk); the thread of the queue calls `Delivery.deliver`, which calls
`MlflowClient.log_batch`. In a database `DirectWriter.put` calls `Delivery.deliver` at once.
"""

import io
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun

from fmnist import names
from fmnist.errors import TrackingIncomplete, WorkDone
from fmnist.options import Options, describe_run
from fmnist.system import atomic
from fmnist.system.identity import this_process
from fmnist.system.signals import ignore_signals, interruption, signals_deferred
from fmnist.tracking.errors import translate_errors
from fmnist.tracking.inputs import LabeledImages, describe_inputs
from fmnist.tracking.offline.delivery import Delivery, Point
from fmnist.tracking.offline.journal import FileWriter
from fmnist.tracking.offline.queue import DirectWriter, Writer, check_journal, open_writer
from fmnist.tracking.start import describe_error, leave_launched_run, log_parameters, start_run
from fmnist.tracking.store import ignore_local_files, open_store
from fmnist.tracking.system_metrics import log_system_metrics
from fmnist.tracking.ui import save_views

PARENT_TAG: Final = "mlflow.parentRunId"
_FLUSH_SECONDS: Final = 60.0
_FLUSH_SECONDS_AFTER_ERROR: Final = 10.0
_latest_time: Final = [0]


class Run:
    """An open run of the tracking store.

    Each method returns when the data is stored; if the store is a server, when it is on disk.

    Args:
        previous: what was stored of a run that is resumed; nothing is logged a second time.
    """

    def __init__(
        self, client: MlflowClient, run_id: str, previous: StoredRun | None = None
    ) -> None:
        self.client = client
        self.run_id = run_id
        self.writer: Writer = DirectWriter(Delivery(client, run_id))
        self._logged_metrics = frozenset(previous.data.metrics if previous else ())
        # The metrics of an epoch are stored together, so one of them shows which epochs are stored.
        losses = client.get_metric_history(run_id, names.TRAIN_LOSS) if previous else ()
        self._logged_epochs = frozenset(loss.step for loss in losses)

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of one epoch, counted from 1, unless the run has them already."""
        if stop := interruption():
            raise stop
        if epoch not in self._logged_epochs:
            self.writer.put("metrics", metrics=to_points(metrics, now(), epoch), of_model=False)

    def log_step(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log metrics that are measured repeatedly."""
        self.writer.put("metrics", metrics=to_points(metrics, now(), step), of_model=False)

    def log_summary(self, metrics: Mapping[str, float], of_model: bool = False) -> None:
        """Log metrics that a run has once, unless it has them already.

        Args:
            of_model: log them for the model of the run too.
        """
        new = {k: value for k, value in metrics.items() if k not in self._logged_metrics}
        self.writer.put("metrics", metrics=to_points(new, now(), 0), of_model=of_model)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.writer.put("tags", tags=dict(tags))

    def log_files(self, files: Mapping[str, bytes]) -> None:
        """Store files as artifacts, by their path within the run."""
        self.writer.put("files", partial(atomic.write_files, files))

    def log_images(self, key: str, images: Sequence[npt.NDArray[np.uint8]]) -> None:
        """Log images for the image view of MLflow's UI, with their rank, from 1, as the step.

        Args:
            images: arrays (height, width) uint8.
        """
        files = {}
        for step, image in enumerate(images, start=1):
            np.save(buffer := io.BytesIO(), image)
            files[f"{step}.npy"] = buffer.getvalue()
        self.writer.put("images", partial(atomic.write_files, files), key=key, time=now())

    def log_inputs(self, splits: Mapping[str, LabeledImages], source: str) -> None:
        """Record the rows that the run uses as dataset inputs, see `inputs.describe_inputs`."""
        self.writer.put("inputs", inputs=describe_inputs(splits, source))

    def copy_inputs(self, run_id: str) -> None:
        """Record the dataset inputs of another run as inputs of this one."""
        stored = self.client.get_run(run_id).inputs
        if stored and stored.dataset_inputs:
            self.client.log_inputs(self.run_id, stored.dataset_inputs)

    def rename(self, name: str, new_name: str) -> None:
        """Rename the run if it still has this name, so not if the user has chosen another."""
        if self.client.get_run(self.run_id).info.run_name == name:
            self.client.update_run(self.run_id, name=new_name)

    def log_model(self, name: str, step: int, write_files: FileWriter) -> None:
        """Store the model of the run, linked to the metrics of this epoch.

        Args:
            write_files: writes the model's files into a directory, and raises if they are invalid.
        """
        self.writer.put("model", write_files, name=name, step=step)

    def register(self, name: str, tags: Mapping[str, str], description: str = "") -> None:
        """Register the model of the run as a version of this name."""
        self.writer.put("register", name=name, tags=dict(tags), description=description)

    def download_files(self, run_id: str) -> dict[str, bytes]:
        """Return all artifacts of a run of the same store, by their path within that run."""
        with tempfile.TemporaryDirectory() as folder:
            self.client.download_artifacts(run_id, "", folder)
            paths = [path for path in Path(folder).rglob("*") if path.is_file()]
            return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}

    def child_environment(self) -> dict[str, str]:
        """Return the environment of a process whose run is to be nested in this one."""
        inherited = {name: text for name, text in os.environ.items() if name != "MLFLOW_RUN_ID"}
        return inherited | {
            "MLFLOW_TRACKING_URI": self.client.tracking_uri,
            "MLFLOW_EXPERIMENT_ID": self.client.get_run(self.run_id).info.experiment_id,
            names.PARENT_RUN: self.run_id,
        }


@contextmanager
def open_run(
    kind: str, options: Options, tags: Mapping[str, str], resume: str | None = None, name: str = ""
) -> Iterator[Run]:
    """Open the run that `mlflow run` created for this process, or a new one.

    With `resume` the run of that id is opened again; a run created by `mlflow run` links to it.
    Without `name` the run is named after its options, unless the user has chosen a name.

    At the end of the block the run is FINISHED, also if it raises WorkDone; KILLED after a signal;
    FAILED after any other exception, with the reason in the tag `fmnist.error` and the traceback in
    `error.txt`. The exception propagates.

    Raises:
        WorkFailed, BadInput: the store or the journal cannot be used.
        TrackingIncomplete: the work is finished, but not all records have been uploaded.
    """
    client = open_store()
    check_journal(client.tracking_uri, resume)
    with translate_errors(), ExitStack() as starting:
        starting.enter_context(signals_deferred())  # until the block below can end the run
        run_name = describe_run(kind, options, name)
        stored = start_run(client, kind, resume, now(), run_name)
        run_id = stored.info.run_id
        try:
            run = Run(client, run_id, previous=stored if resume else None)
            run.writer = open_writer(client, run_id)
        except Exception as error:
            with suppress(Exception):  # the first error is the one to report
                _log_error(Run(client, run_id), error)
                client.set_terminated(run_id, "FAILED")
            raise
        status = "FAILED"
        flush_seconds = float(os.environ.get(names.FLUSH_TIMEOUT, _FLUSH_SECONDS))
        try:
            starting.close()
            _prepare(run, stored, kind, options, tags, resume)
            with log_system_metrics(run.log_step, stored):
                yield run
            flush_seconds = run.writer.flush(flush_seconds)
            status = "FINISHED"
        except WorkDone:
            flush_seconds = run.writer.flush(flush_seconds)
            status = "FINISHED"
            raise
        except BaseException as error:
            ignore_signals()
            flush_seconds = min(flush_seconds, _FLUSH_SECONDS_AFTER_ERROR)
            if stop := interruption():
                status = "KILLED"
            _log_error(run, stop or error)
            raise
        finally:
            _end(run, status, flush_seconds)


def _prepare(
    run: Run,
    stored: StoredRun,
    kind: str,
    options: Options,
    tags: Mapping[str, str],
    resume: str | None,
) -> None:
    """Log tags and parameters."""
    _latest_time[0] = max(_latest_time[0], stored.info.start_time or 0)
    ignore_local_files(stored.info.artifact_uri)
    save_views(run.client, stored.info.experiment_id)
    own_tags = {names.TAG_KIND: kind, names.TAG_PROCESS: this_process()}
    if parent := os.environ.get(names.PARENT_RUN):
        own_tags[PARENT_TAG] = parent
    run.set_tags({**own_tags, **tags})
    if resume:
        if names.TAG_ERROR in stored.data.tags:
            run.client.delete_tag(run.run_id, names.TAG_ERROR)
        note = f"Continued in the run {resume}."
        name = f"{stored.info.run_name} (continued)"
        leave_launched_run(note, name, {names.TAG_CONTINUED_IN: resume})
    log_parameters(run.client, stored, options, resumed=bool(resume))


def _end(run: Run, status: str, flush_seconds: float) -> None:
    """End the run and report records that have not been uploaded."""
    try:
        with signals_deferred():
            run.writer.put("end", status=status, time=now())
    finally:
        try:
            run.writer.flush(flush_seconds)
        finally:
            if incomplete := run.writer.close():
                if sys.exception() is None:
                    raise TrackingIncomplete(incomplete)
                print(f"tracking: {incomplete}", file=sys.stderr, flush=True)


def now() -> int:
    """Return the time in milliseconds since 1970, never less than an earlier result.

    Otherwise a run could end before its start if the clock is set back.
    """
    _latest_time[0] = max(_latest_time[0], int(time.time() * 1000))
    return _latest_time[0]


def to_points(metrics: Mapping[str, float], time: int, step: int) -> list[Point]:
    """Return the values of metrics measured at one time and step.

    Values are rounded to the precision of float32: 0.825 instead of 0.8249999880790710.
    """
    return [(name, _round(value), time, step) for name, value in metrics.items()]


def _round(value: float) -> float:
    value = float(value)
    return value if value.is_integer() else float(str(np.float32(value)))


def _log_error(run: Run, error: BaseException) -> None:
    """Log the reason and the traceback; a failure of the store must not hide the first error."""
    try:
        run.set_tags({names.TAG_ERROR: describe_error(error)})
        run.log_files({names.ERROR_TEXT: "".join(traceback.format_exception(error)).encode()})
    except Exception as store_error:
        error.add_note(f"the reason could not be stored in the run: {store_error}")
