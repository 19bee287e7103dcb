"""Finds runs in the tracking store, by kind or by id, and brings their files."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import mlflow
from mlflow.entities import LoggedModelInput
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.results.runs import FoundRun
from fmnist.tracking.address import without_password
from fmnist.tracking.parameters import unquoted
from fmnist.tracking.run import Run
from fmnist.tracking.search import is_done
from fmnist.tracking.store import open_store

_A_PAGE: Final = 200
_MISSING: Final = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


class RunStore:
    """The runs of some experiments, to be looked through.

    Args:
        experiments: names; empty for all.

    Raises:
        BadInput: the store has no experiment of that name.
        WorkFailed: the store cannot be read.
    """

    def __init__(self, experiments: Sequence[str] = ()) -> None:
        # Bars of MLflow's, one for each small file, would bury what is said.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        self._client = open_store()
        known = {found.name: found.experiment_id for found in _experiments(self._client)}
        if unknown := [name for name in experiments if name not in known]:
            raise BadInput(
                f"experiments={unknown[0]}: no such experiment on this tracking store; wanted all, "
                f"or some of {', '.join(sorted(known))}"
            )
        self._experiments = [known[name] for name in experiments or known]

    @property
    def store(self) -> str:
        """The address of the tracking store."""
        return without_password(mlflow.get_tracking_uri())

    def newest_first(self, kind: str, tags: Mapping[str, str] | None = None) -> Iterator[FoundRun]:
        """All runs of a kind with these tags, a page of them in memory at a time."""
        wanted = {names.TAG_KIND: kind, **(tags or {})}
        # A quote would end the value; no tag of ours that is searched for holds one.
        texts = {name: value.replace("'", "") for name, value in wanted.items()}
        told = " and ".join(f"tags.`{name}` = '{text}'" for name, text in texts.items())
        token: str | None = ""
        while token is not None:
            page = self._client.search_runs(
                self._experiments,
                told,
                max_results=_A_PAGE,
                order_by=["attributes.start_time DESC"],
                page_token=token or None,
            )
            yield from (_found(run) for run in page)
            token = page.token or None

    def named(self, run_ids: Iterable[str]) -> list[FoundRun]:
        """The runs of these ids, wherever they are.

        Raises:
            BadInput: there is no such run, or it was deleted.
        """
        return [_found(self._get(run_id)) for run_id in run_ids]

    def files(self, run: FoundRun, wanted: Iterable[str]) -> dict[str, bytes]:
        """Those of the wanted artifacts that the run has, by name.

        Raises:
            WorkFailed: the store lists a file and does not hand it out.
        """
        found = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in wanted:
                try:
                    path = self._client.download_artifacts(run.run_id, name, folder)
                except (MlflowException, OSError) as error:
                    if self._lists(run, name):
                        raise WorkFailed(
                            f"run {run.run_id} ({run.name}): {name} cannot be read from "
                            f"{self.store}: {error}; try again"
                        ) from error
                    continue
                found[name] = Path(path).read_bytes()
        return found

    def _get(self, run_id: str) -> StoredRun:
        try:
            run = self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in _MISSING:
                raise
            raise BadInput(
                f"runs={run_id}: no such run on the tracking store {self.store}; wanted ids of "
                "finished runs of train with commas between, or auto"
            ) from error
        if run.info.lifecycle_stage != "active":
            raise BadInput(f"runs={run_id}: that run was deleted; restore it or leave it out")
        return run

    def _lists(self, run: FoundRun, name: str) -> bool:
        folder = str(Path(name).parent)
        return name in {file.path for file in self._client.list_artifacts(run.run_id, folder)}


def log_models_compared(run: Run, model_ids: Iterable[str]) -> None:
    """Record these logged models as inputs of the open run."""
    if models := [LoggedModelInput(model_id) for model_id in model_ids]:
        run.client.log_inputs(run.run_id, models=models)


def _experiments(client: mlflow.MlflowClient) -> Iterator[mlflow.entities.Experiment]:
    token: str | None = ""
    while token is not None:
        page = client.search_experiments(page_token=token or None)
        yield from page
        token = page.token or None


def _found(run: StoredRun) -> FoundRun:
    tags = run.data.tags
    outputs = run.outputs.model_outputs if run.outputs else []
    return FoundRun(
        run_id=run.info.run_id,
        name=run.info.run_name or "",
        kind=tags.get(names.TAG_KIND, "foreign"),
        link=_link(run),
        status=run.info.status,
        done=is_done(run),
        started_at=(run.info.start_time or 0) / 1000,
        parameters=unquoted(run.data.params),
        tags=dict(tags),
        metrics=dict(run.data.metrics),
        model_id=outputs[0].model_id if outputs else None,
    )


def _link(run: StoredRun) -> str | None:
    """The run's page; the address is the one that MLflow itself prints."""
    uri = without_password(mlflow.get_tracking_uri())
    if not uri.startswith(("http://", "https://")):
        return None
    return f"{uri.rstrip('/')}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}"
