"""From a record to the tracking store; every delivery may be repeated and does no harm."""

import filecmp
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
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
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

from fmnist import names
from fmnist.tracking.attempts import get_or_create, is_outage
from fmnist.tracking.client import answered
from fmnist.tracking.versions import register

Body = Mapping[str, Any]

MODEL_NAME: Final = "model"
_METRICS_A_REQUEST: Final = 1000  # MLflow's limit


class Delivery:
    """Brings the records of one run, and of runs nested in it, to the store.

    A record names its run by the token under which it was begun, and "" is the run itself: the id
    of a nested run is known only when the server has made it.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self._ids = {"": run_id}

    def __call__(self, body: Body, files: Path) -> None:
        """Deliver a record.

        Args:
            files: folder with the files of the record, if it has any.
        """
        run_id = self._run_id(body)
        match body["what"]:
            case "begin":
                params = [Param(name, text) for name, text in body["params"].items()]
                self._client.log_batch(run_id, params=params)
            case "metrics":
                model_id = self._model(run_id).model_id if body["of_model"] else None
                self._log_metrics(run_id, body["metrics"], model_id)
            case "tags":
                tags = [RunTag(name, text) for name, text in body["tags"].items()]
                self._client.log_batch(run_id, tags=tags)
            case "files":
                with _storing(files):
                    self._client.log_artifacts(run_id, str(files))
            case "inputs":
                self._client.log_inputs(run_id, [_input(one) for one in body["inputs"]])
            case "model":
                self._log_model(run_id, body["step"], files)
            case "register":
                register(self._client, self._model(run_id).model_id, body["name"], body["tags"])
            case "end":
                self._end(run_id, body["status"], body["at"])
            case other:
                raise ValueError(f"a record of an unknown kind: {other}")

    def _run_id(self, body: Body) -> str:
        token: str = body["run"]
        if token not in self._ids:
            parent = self._client.get_run(self._ids[""])
            experiment = parent.info.experiment_id

            def find() -> StoredRun | None:
                return run_of_token(self._client, experiment, token)

            def make() -> StoredRun:
                if body["what"] != "begin":
                    raise ValueError(f"the nested run {token} was never begun")
                tags = {**body["tags"], names.TAG_RECORD: token}
                return self._client.create_run(experiment, body["started"], tags, body["name"])

            self._ids[token] = get_or_create(find, make).info.run_id
        return self._ids[token]

    def _log_metrics(
        self, run_id: str, told: list[tuple[str, float, int, int]], model_id: str | None
    ) -> None:
        batch = [Metric(*one, model_id=model_id, run_id=run_id) for one in told]
        for start in range(0, len(batch), _METRICS_A_REQUEST):
            self._client.log_batch(run_id, metrics=batch[start : start + _METRICS_A_REQUEST])

    def _log_model(self, run_id: str, step: int, files: Path) -> None:
        """Upload the model and read it back, then say READY, then link it to the run."""
        run = self._client.get_run(run_id)
        model = self._model(run_id, run)
        described = Model.load(str(files))
        described.model_id = described.model_uuid = model.model_id
        described.artifact_path = model.artifact_location
        described.save(str(files / "MLmodel"))
        with _storing(files):
            self._client.log_model_artifacts(model.model_id, str(files))
            self._need_equal(model.model_id, files)
        self._client.finalize_logged_model(model.model_id, "READY")
        linked = run.outputs.model_outputs if run.outputs else []
        if model.model_id not in [one.model_id for one in linked]:
            output = LoggedModelOutput(model.model_id, step)
            self._client.log_outputs(run_id, [output])
        of_step = [
            (metric.key, metric.value, metric.timestamp, metric.step)
            for name in run.data.metrics
            if not name.startswith(names.MACHINE)
            for metric in self._client.get_metric_history(run_id, name)
            if metric.step == step
        ]
        self._log_metrics(run_id, of_step, model.model_id)

    def _model(self, run_id: str, run: StoredRun | None = None) -> LoggedModel:
        """The logged model of the run; with `run` it is made if there is none."""
        found = self._client.get_run(run_id) if run is None else run
        experiment = found.info.experiment_id

        def find() -> LoggedModel | None:
            told = f"source_run_id = '{run_id}' AND name = '{MODEL_NAME}'"
            models = self._client.search_logged_models([experiment], told)
            return models[0] if models else None

        def make() -> LoggedModel:
            if run is None:
                raise ValueError(f"run {run_id} has no logged model")
            params = found.data.params
            return self._client.create_logged_model(experiment, MODEL_NAME, run_id, params=params)

        return get_or_create(find, make)

    def _need_equal(self, model_id: str, files: Path) -> None:
        """Return if the store gives back the files of the model byte for byte."""
        paths = [path.relative_to(files) for path in files.rglob("*") if path.is_file()]
        with tempfile.TemporaryDirectory() as folder:
            fetch = partial(mlflow.artifacts.download_artifacts, dst_path=folder)
            back = answered(fetch, f"models:/{model_id}")
            different = [
                path
                for path in paths
                if not Path(back, path).is_file()
                or not filecmp.cmp(files / path, Path(back, path), shallow=False)
            ]
        if different:
            raise MlflowException(f"{different[0]} of {model_id} came back different")

    def _end(self, run_id: str, status: str, at: int) -> None:
        if status == "FINISHED" and names.TAG_ERROR in self._client.get_run(run_id).data.tags:
            # Of an end that was none: `reap` found the process gone, and its records here.
            self._client.delete_tag(run_id, names.TAG_ERROR)
        self._client.set_terminated(run_id, status, at)


def run_of_token(client: MlflowClient, experiment: str, token: str) -> StoredRun | None:
    """The run that was begun under the token, if the store has it."""
    runs = client.search_runs([experiment], f"tags.`{names.TAG_RECORD}` = '{token}'")
    return runs[0] if runs else None


@contextmanager
def _storing(files: Path) -> Iterator[None]:
    """Say of a fault in the block that it came while files were stored."""
    try:
        yield
    except Exception as error:
        if is_outage(error):
            size = sum(path.stat().st_size for path in files.rglob("*"))
            raise OSError(
                f"it cannot store files now ({size:,} bytes; is its disk full, or its folder of "
                f"artifacts read-only?): {error}"
            ) from error
        raise


def _input(told: Mapping[str, Any]) -> DatasetInput:
    context = InputTag(MLFLOW_DATASET_CONTEXT, told["context"])
    return DatasetInput(Dataset(**told["dataset"]), [context])
