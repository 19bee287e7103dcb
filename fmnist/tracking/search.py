"""Find runs in the tracking store and download their files."""

import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import LoggedModelInput
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.results.runs import RunRecord
from fmnist.system.identity import process_state
from fmnist.tracking import ui
from fmnist.tracking.address import is_server, store_address
from fmnist.tracking.client import find_run, search_all
from fmnist.tracking.run import PARENT_TAG, Run
from fmnist.tracking.start import current_experiment, unquote
from fmnist.tracking.store import open_store

_PAGE_SIZE: Final = 200  # bounds the memory that a search needs


class RunStore:
    """The runs of some experiments.

    Args:
        experiments: names; empty for all.

    Raises:
        BadInput: an experiment does not exist.
        WorkFailed: the store cannot be read.
    """

    def __init__(self, experiments: Sequence[str] = ()) -> None:
        self._client = open_store()
        experiments_in_store = search_all(self._client.search_experiments)
        ids = {experiment.name: experiment.experiment_id for experiment in experiments_in_store}
        if unknown := [name for name in experiments if name not in ids]:
            raise BadInput(
                f"experiments={unknown[0]}: no such experiment in this tracking store; expected "
                f"all, or some of {', '.join(sorted(ids))}"
            )
        self._experiments = [ids[name] for name in experiments or ids]

    @property
    def address(self) -> str:
        """URI of the tracking store, without password."""
        return store_address()

    def search(self, kind: str, tags: Mapping[str, str] | None = None) -> Iterator[RunRecord]:
        """Yield all runs of a kind with these tags, the newest first."""
        return _search(self._client, self._experiments, {names.TAG_KIND: kind, **(tags or {})})

    def get(self, run_ids: Iterable[str]) -> list[RunRecord]:
        """Return the runs with these ids, in any experiment.

        Raises:
            BadInput: a run does not exist.
        """
        runs = {run_id: self.find(run_id) for run_id in run_ids}
        if missing := [run_id for run_id, run in runs.items() if run is None]:
            raise BadInput(
                f"runs={missing[0]}: no such run in the tracking store {self.address}, or it was "
                "deleted; expected ids of finished runs of train, separated by commas, or auto"
            )
        return [run for run in runs.values() if run]

    def find(self, run_id: str) -> RunRecord | None:
        """Return the run with this id, None if there is none."""
        run = find_run(self._client, run_id)
        return _to_record(run) if run else None

    def download(self, run: RunRecord, artifacts: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of those artifacts that the run has, by path.

        Raises:
            WorkFailed: an artifact is listed but cannot be read.
        """
        paths = list(artifacts)
        existing = {
            file.path
            for folder in {str(Path(path).parent) for path in paths}
            for file in self._client.list_artifacts(run.run_id, folder)
        }
        contents = {}
        with tempfile.TemporaryDirectory() as folder:
            for path in (path for path in paths if path in existing):
                try:
                    local = self._client.download_artifacts(run.run_id, path, folder)
                except (MlflowException, OSError) as error:
                    raise WorkFailed(
                        f"run {run.run_id} ({run.name}): {path} cannot be read from "
                        f"{self.address}: {error}; try again"
                    ) from error
                contents[path] = Path(local).read_bytes()
        return contents


def log_compared_models(run: Run, model_ids: Iterable[str]) -> None:
    """Record logged models as inputs of the open run."""
    if models := [LoggedModelInput(model_id) for model_id in model_ids]:
        run.client.log_inputs(run.run_id, models=models)


def finished_runs(kind: str, digest: str) -> list[RunRecord]:
    """Return the finished runs of a configuration in the current experiment, newest first."""
    return [run for run in _same_configuration(kind, digest) if run.is_finished]


def ended_within(runs: list[RunRecord], hours: float) -> list[RunRecord]:
    """Return the runs that ended in the last hours; all of them for 0."""
    since = time.time() - 3600 * hours if hours else 0.0
    return [run for run in runs if run.ended_at >= since]


def nested_runs(parent_id: str, kind: str) -> list[RunRecord]:
    """Return the runs of a kind nested in a run, newest first."""
    client = open_store()
    experiment = client.get_run(parent_id).info.experiment_id
    return list(_search(client, [experiment], {names.TAG_KIND: kind, PARENT_TAG: parent_id}))


def find_run_to_resume(
    resume: str, kind: str, digest: str, candidates: Collection[str] | None = None
) -> str | None:
    """Return the id of the unfinished run to resume, None to start a new one.

    Args:
        resume: `auto`, `off`, or the id of a run.
        candidates: for `auto`, ids of the runs that can be resumed on this machine; None for all.

    Raises:
        BadInput: the named run does not exist, has another configuration, is finished, or is in
            use by another process.
    """
    if resume == "off":
        return None
    if resume == "auto":
        unfinished = (run.run_id for run in _same_configuration(kind, digest) if run.is_resumable)
        return next((run for run in unfinished if candidates is None or run in candidates), None)
    run = RunStore().find(resume)
    if run is None:
        raise BadInput(
            f"resume={resume}: no such run in this tracking store; expected the id of an "
            f"unfinished {kind} run, or auto"
        )
    if (run.kind, run.tags.get(names.TAG_CONFIG_DIGEST)) != (kind, digest):
        raise BadInput(
            f"resume={resume}: this is a {run.kind} run with the configuration "
            f"{run.tags.get(names.TAG_CONFIG_DIGEST, 'unknown')}, expected a {kind} run with "
            f"{digest}: options, data and code that affect the result must be the same"
        )
    if not run.is_resumable:
        raise BadInput(
            f"resume={resume}: this run is {run.status} and cannot be resumed; use resume=auto"
        )
    return resume


def _same_configuration(kind: str, digest: str) -> Iterator[RunRecord]:
    client = open_store()
    tags = {names.TAG_KIND: kind, names.TAG_CONFIG_DIGEST: digest}
    return _search(client, [current_experiment(client)], tags)


def _search(
    client: MlflowClient, experiments: list[str], tags: Mapping[str, str]
) -> Iterator[RunRecord]:
    # A quote would end the value; tag values that are searched for contain none.
    values = {name: value.replace("'", "") for name, value in tags.items()}
    found = search_all(
        client.search_runs,
        experiments,
        " and ".join(f"tags.`{name}` = '{value}'" for name, value in values.items()),
        max_results=_PAGE_SIZE,
        order_by=["attributes.start_time DESC"],
    )
    return map(_to_record, found)


def _to_record(run: StoredRun) -> RunRecord:
    tags, status, uri = run.data.tags, run.info.status, store_address()
    # A run with a drift alarm is finished, although `mlflow run` may mark it as FAILED.
    is_finished = status == "FINISHED" or names.TAG_ALARM in tags
    outputs = run.outputs.model_outputs if run.outputs else []
    return RunRecord(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        kind=tags.get(names.TAG_KIND, "foreign"),
        link=ui.run_page(uri, run.info) if is_server(uri) else None,
        status=status,
        is_finished=is_finished,
        is_resumable=not is_finished
        and (status != "RUNNING" or process_state(tags.get(names.TAG_PROCESS, "")) == "ended"),
        started_at=(run.info.start_time or 0) / 1000,
        ended_at=(run.info.end_time or 0) / 1000,
        parameters=unquote(run.data.params),
        tags=dict(tags),
        metrics=dict(run.data.metrics),
        model_id=outputs[0].model_id if outputs else None,
    )
