"""Write records to the tracking store. Each delivery may be repeated without creating duplicates.

Metrics keep their time and step, files are overwritten, and runs, models and registered versions
are looked up before they are created.
"""

import filecmp
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    LoggedModelOutput,
    Metric,
    Param,
    RunTag,
)
from mlflow.entities import Run as StoredRun
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT, MLFLOW_MODEL_VERSIONS

from fmnist import names
from fmnist.tracking.client import call_store, get_or_create, search_all
from fmnist.tracking.errors import is_denied, is_outage

MODEL_NAME: Final = "model"
_METRICS_PER_REQUEST: Final = 1000  # limit of MLflow


class Delivery:
    """Writes the records of one run, and of runs nested in it, to the store.

    Nested runs are identified by a token, since their id is not known before the server has created
    them; the token of the run itself is "".
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self._run_ids = {"": run_id}

    def deliver(self, body: Mapping[str, Any], files: Path) -> None:
        """Write one record.

        Args:
            body: the record, with its `type` and the token of its `run`.
            files: directory with the files of the record, if it has any.
        """
        client, run_id = self._client, self._run_id(body)
        match body["type"]:
            case "start":
                params = [Param(name, text) for name, text in body["params"].items()]
                client.log_batch(run_id, params=params)
            case "metrics":
                model_id = self._model(run_id).model_id if body["of_model"] else None
                metrics = [
                    Metric(name, value, time, step, model_id=model_id, run_id=run_id)
                    for name, value, time, step in body["metrics"]
                ]
                for start in range(0, len(metrics), _METRICS_PER_REQUEST):
                    client.log_batch(run_id, metrics[start : start + _METRICS_PER_REQUEST])
            case "tags":
                client.log_batch(run_id, tags=[RunTag(*tag) for tag in body["tags"].items()])
            case "files":
                with _describe_upload_errors(files):
                    client.log_artifacts(run_id, str(files))
            case "inputs":
                client.log_inputs(run_id, [_dataset_input(one) for one in body["inputs"]])
            case "model":
                self._log_model(run_id, body["step"], files)
            case "register":
                model_id = self._model(run_id).model_id
                register_version(client, model_id, body["name"], body["tags"])
            case "end":
                self._end(run_id, body["status"], body["time"])
            case other:
                raise ValueError(f"unknown type of record: {other}")

    def _run_id(self, body: Mapping[str, Any]) -> str:
        token: str = body["run"]
        if token not in self._run_ids:
            experiment_id = self._client.get_run(self._run_ids[""]).info.experiment_id
            run = (
                create_run(
                    self._client, experiment_id, token, body["time"], body["tags"], body["name"]
                )
                if body["type"] == "start"
                else _find_run(self._client, experiment_id, token)
            )
            if run is None:
                raise ValueError(f"the nested run {token} was never started")
            self._run_ids[token] = run.info.run_id
        return self._run_ids[token]

    def _log_model(self, run_id: str, step: int, files: Path) -> None:
        """Upload the model, compare the stored files, mark it READY and link it to the run."""
        client = self._client
        run = client.get_run(run_id)
        model = self._model(run_id, create=True)
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
            Metric(m.key, m.value, m.timestamp, m.step, model_id=model.model_id, run_id=run_id)
            for name in run.data.metrics
            if not name.startswith(names.MACHINE)
            for m in client.get_metric_history(run_id, name)
            if m.step == step
        ]
        client.log_batch(run_id, metrics=of_step)

    def _model(self, run_id: str, create: bool = False) -> LoggedModel:
        """Return the logged model of the run."""
        client, run = self._client, self._client.get_run(run_id)
        experiment_id = run.info.experiment_id

        def find_model() -> LoggedModel | None:
            condition = f"source_run_id = '{run_id}' AND name = '{MODEL_NAME}'"
            models = client.search_logged_models([experiment_id], condition)
            return models[0] if models else None

        def create_model() -> LoggedModel:
            if not create:
                raise ValueError(f"run {run_id} has no logged model")
            return client.create_logged_model(
                experiment_id, MODEL_NAME, run_id, params=run.data.params
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
        if status == "FINISHED" and names.TAG_ERROR in self._client.get_run(run_id).data.tags:
            # `reap` ended the run as orphaned while its records were waiting here.
            self._client.delete_tag(run_id, names.TAG_ERROR)
        self._client.set_terminated(run_id, status, time)


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
    return get_or_create(
        lambda: _find_run(client, experiment_id, token),
        lambda: client.create_run(experiment_id, start_time, tags, name),
    )


def _find_run(client: MlflowClient, experiment_id: str, token: str) -> StoredRun | None:
    runs = client.search_runs([experiment_id], f"tags.`{names.TAG_RECORD}` = '{token}'")
    return runs[0] if runs else None


def register_version(
    client: MlflowClient, model_id: str, name: str, tags: Mapping[str, str]
) -> int:
    """Register a logged model, if it is not registered yet, and return its version number."""
    source = f"models:/{model_id}"

    def find() -> ModelVersion | None:
        versions = search_all(client.search_model_versions, f"name='{name}'")
        return next((version for version in versions if version.source == source), None)

    def create() -> ModelVersion:
        _create_registered_model(client, name)
        return client.create_model_version(name, source, tags=dict(tags), model_id=model_id)

    version = get_or_create(find, create)
    # The page of the logged model in MLflow's UI reads its versions from this tag.
    listed = json.loads(client.get_logged_model(model_id).tags.get(MLFLOW_MODEL_VERSIONS, "[]"))
    entry = {"name": name, "version": version.version}
    if entry not in listed:
        tag = {MLFLOW_MODEL_VERSIONS: json.dumps([*listed, entry])}
        client.set_logged_model_tags(model_id, tag)
    return int(version.version)


def _create_registered_model(client: MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if is_outage(error):
            raise
        try:
            client.get_registered_model(name)
        except MlflowException as lookup_error:
            if is_denied(lookup_error):  # the name exists and belongs to another user
                raise
            raise error from lookup_error


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


def _dataset_input(description: Mapping[str, Any]) -> DatasetInput:
    context = InputTag(MLFLOW_DATASET_CONTEXT, description["context"])
    return DatasetInput(Dataset(**description["dataset"]), [context])
