"""Write records to the tracking store. Each delivery may be repeated without creating duplicates.

Metrics keep their time and step, files are overwritten, and runs, models and registered versions
are looked up before they are created.
"""

import filecmp
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, LoggedModelOutput, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from fmnist import names
from fmnist.tracking.address import is_server
from fmnist.tracking.client import (
    call_store,
    create_run,
    get_or_create,
    register_version,
    search_all,
)
from fmnist.tracking.errors import is_outage
from fmnist.tracking.inputs import find_dataset, to_dataset_input

Point = tuple[str, float, int, int]  # name, value, milliseconds since 1970, step
_METRICS_PER_REQUEST: Final = 1000  # limit of MLflow


class Delivery:
    """Writes the records of one run to the store."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id

    def deliver(self, body: Mapping[str, Any], files: Path) -> None:
        """Write one record.

        Args:
            body: the record; its `type` determines the other fields.
            files: directory with the files of the record, if it has any.
        """
        client, run_id = self._client, self._run_id
        match body["type"]:
            case "metrics":
                model_id = self._model(run_id).model_id if body["of_model"] else None
                self._log_metrics(run_id, body["metrics"], model_id)
            case "tags":
                client.log_batch(run_id, tags=[RunTag(*tag) for tag in body["tags"].items()])
            case "files":
                with _describe_upload_errors(files):
                    client.log_artifacts(run_id, str(files))
            case "images":
                with _describe_upload_errors(files):
                    self._log_images(run_id, body["key"], body["time"], files)
            case "inputs":
                client.log_inputs(run_id, [to_dataset_input(each) for each in body["inputs"]])
            case "nested":
                self._log_nested(body, files)
            case "model":
                self._log_model(run_id, body["name"], body["step"], files)
            case "register":
                model_id = self._model(run_id).model_id
                register_version(client, model_id, body["name"], body["tags"], body["description"])
            case "end":
                self._end(run_id, body["status"], body["time"])
            case other:
                raise ValueError(f"unknown type of record: {other}")

    def _log_metrics(self, run_id: str, points: list[Point], model_id: str | None = None) -> None:
        # MLflow stores the dataset of a metric only with metrics of models.
        run = self._client.get_run(run_id) if model_id else None
        metrics = []
        for name, value, time, step in points:
            dataset, digest = find_dataset(name, run) if run else (None, None)
            metrics.append(Metric(name, value, time, step, model_id, dataset, digest, run_id))
        for start in range(0, len(metrics), _METRICS_PER_REQUEST):
            batch = metrics[start : start + _METRICS_PER_REQUEST]
            self._client.log_batch(run_id, metrics=batch)

    def _log_images(self, run_id: str, key: str, time: int, files: Path) -> None:
        """Log those images that an interrupted delivery has not logged."""
        client = self._client
        stored = [file.path for file in client.list_artifacts(run_id, "images")]
        for path in sorted(files.glob("*.npy")):
            # MLflow appends a random id, and stores a reduced copy after the image itself.
            prefix = f"images/{key}+step+{path.stem}+timestamp+{time}+"
            if not any(s.startswith(prefix) and s.endswith(".webp") for s in stored):
                image = np.load(path)
                client.log_image(run_id, image, key=key, step=int(path.stem), timestamp=time)

    def _log_nested(self, body: Mapping[str, Any], files: Path) -> None:
        """Create a nested run with everything that belongs to it, and end it."""
        client, experiment_id = self._client, self._client.get_run(self._run_id).info.experiment_id
        run = create_run(
            client, experiment_id, body["token"], body["start_time"], body["tags"], body["name"]
        )
        run_id = run.info.run_id
        try:
            client.log_batch(run_id, params=[Param(*param) for param in body["params"].items()])
            self._log_metrics(run_id, body["metrics"])
            client.log_inputs(run_id, [to_dataset_input(each) for each in body["inputs"]])
            with _describe_upload_errors(files):
                client.log_artifacts(run_id, str(files))
        except Exception as error:
            if not (is_server(client.tracking_uri) and is_outage(error)):  # no second attempt
                with suppress(Exception):
                    client.set_terminated(run_id, "KILLED")
            raise
        client.set_terminated(run_id, body["status"], body["end_time"])

    def _log_model(self, run_id: str, name: str, step: int, files: Path) -> None:
        """Upload the model, compare the stored files, mark it READY and link it to the run."""
        client = self._client
        run = client.get_run(run_id)
        model = self._model(run_id, create_as=name)
        description = Model.load(str(files))
        description.model_id = description.model_uuid = model.model_id
        description.artifact_path = model.artifact_location
        description.save(str(files / "MLmodel"))
        with _describe_upload_errors(files):
            client.log_model_artifacts(model.model_id, str(files))
            self._check_stored_files(model.model_id, files)
        client.finalize_logged_model(model.model_id, "READY")
        linked = run.outputs.model_outputs if run.outputs else []
        if model.model_id not in [output.model_id for output in linked]:
            client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step)])
        of_step = [
            (m.key, m.value, m.timestamp, m.step)
            for metric in run.data.metrics
            if not metric.startswith(names.MACHINE)
            for m in client.get_metric_history(run_id, metric)
            if m.step == step
        ]
        self._log_metrics(run_id, of_step, model.model_id)

    def _model(self, run_id: str, create_as: str = "") -> LoggedModel:
        """Return the logged model of the run, created with this name if there is none."""
        client, run = self._client, self._client.get_run(run_id)
        experiment_id = run.info.experiment_id

        def find_model() -> LoggedModel | None:
            condition = f"source_run_id = '{run_id}'"
            models = client.search_logged_models([experiment_id], condition)
            return models[0] if models else None

        def create_model() -> LoggedModel:
            if not create_as:
                raise ValueError(f"run {run_id} has no logged model")
            return client.create_logged_model(
                experiment_id, create_as, run_id, params=run.data.params
            )

        return get_or_create(find_model, create_model)

    def _check_stored_files(self, model_id: str, files: Path) -> None:
        """Raise unless the store returns the files of the model byte for byte."""
        with tempfile.TemporaryDirectory() as folder:
            stored = call_store(
                mlflow.artifacts.download_artifacts,
                f"models:/{model_id}",
                dst_path=folder,
                tracking_uri=self._client.tracking_uri,
            )
            for path in (path for path in files.rglob("*") if path.is_file()):
                copy = Path(stored, path.relative_to(files))
                if not copy.is_file() or not filecmp.cmp(path, copy, shallow=False):
                    raise MlflowException(f"{copy.name} of {model_id} differs after the upload")

    def _end(self, run_id: str, status: str, time: int) -> None:
        run = self._client.get_run(run_id)
        if status == "FINISHED" and names.TAG_ERROR in run.data.tags:
            # `reap` ended the run as orphaned while its records were waiting here.
            self._client.delete_tag(run_id, names.TAG_ERROR)
        self._client.set_terminated(run_id, status, time)
        # Nested runs keep theirs until now, because they may be delivered more than once.
        nested = search_all(
            self._client.search_runs,
            [run.info.experiment_id],
            f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{run_id}' and attributes.status != 'RUNNING'",
        )
        for each in (run, *nested):
            for tag in each.data.tags.keys() & {names.TAG_RECORD, names.TAG_PROCESS}:
                self._client.delete_tag(each.info.run_id, tag)


@contextmanager
def _describe_upload_errors(files: Path) -> Iterator[None]:
    """Add the cause and the size to outages that occur while files are uploaded."""
    try:
        yield
    except Exception as error:
        if not is_outage(error):
            raise
        size = sum(path.stat().st_size for path in files.rglob("*"))
        raise OSError(
            f"files cannot be stored ({size:,} bytes; is the server's disk full, or its artifact "
            f"directory read-only?): {error}"
        ) from error
