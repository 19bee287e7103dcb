"""MLflow's web UI: links to its pages, and two saved views of each experiment.

The menu "Views" of an experiment has one view of the accuracy of trainings, and one of their cost.
The format is that of MLflow 3.17, which stores a view as a tag of the experiment: JSON with a name
and a state, which is compressed JSON. Other versions ignore the tags.
"""

import base64
import json
import os
import shlex
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import RunInfo
from mlflow.exceptions import MlflowException

from fmnist import names
from fmnist.system.redaction import without_password
from fmnist.tracking.address import is_server

_LOCAL_UI: Final = "http://127.0.0.1:5000"
# Without it, MLflow 3.17 always opens its view of GenAI applications.
_WORKFLOW: Final = "?workflowType=machine_learning"
PREFIX: Final = "mlflow.sharedViewState."
_CREATED: Final = 1_764_028_800_000  # milliseconds since 1970; fixed, so that views are equal
_ACCURACY: Final = (
    names.TEST_ACCURACY, names.BEST_VAL_ACCURACY, names.TRAIN_ACCURACY, names.TEST_MACRO_F1,
    names.TEST_ECE, names.BEST_EPOCH,
)  # fmt: skip
_COST: Final = (
    names.TEST_ACCURACY, names.FIT_SECONDS, names.EPOCH_SECONDS, names.FEATURE_COST_SECONDS,
    names.PREDICT_MS_PER_IMAGE, names.PARAMETERS_TOTAL, names.MODEL_BYTES,
)  # fmt: skip
# Columns, and the first sections of the charts.
VIEWS: Final = {
    "fmnist-accuracy": (_ACCURACY, ("Model metrics", "timing", "size")),
    "fmnist-cost": (_COST, ("timing", "size", "Model metrics")),
}


def run_page(uri: str, run: RunInfo) -> str:
    """Return the address of the page of a run; `mlflow ui` shows those of a database."""
    return f"{_runs(uri, run.experiment_id)}/{run.run_id}{_WORKFLOW}"


def describe_run(client: MlflowClient, run_id: str) -> dict[str, str]:
    """Return name, links and registered version of a run, by label, to be shown to the user."""
    run = client.get_run(run_id).info
    pages = {"link": run_page(client.tracking_uri, run)}
    lines = {"run": f"{run.run_name} ({run_id})"}
    lines |= _describe_pages(client.tracking_uri, run.experiment_id, pages)
    if versions := client.search_model_versions(f"run_id = '{run_id}'"):
        lines["model"] = ", ".join(f"{each.name} version {each.version}" for each in versions)
    return lines


def print_experiment() -> None:
    """Print where the runs of the experiment are shown that the environment selects."""
    client, name = MlflowClient(), os.environ.get("MLFLOW_EXPERIMENT_NAME")
    found = client.get_experiment_by_name(name) if name else None
    experiment_id = found.experiment_id if found else os.environ.get("MLFLOW_EXPERIMENT_ID", "0")
    for label, text in _describe_pages(client.tracking_uri, experiment_id, {}).items():
        print(f"{label:<9} {text}")


def _describe_pages(uri: str, experiment_id: str, pages: Mapping[str, str]) -> dict[str, str]:
    """Return the command that shows pages of a database, these pages, and that of an experiment."""
    shown = shlex.quote(without_password(uri))
    command = {} if is_server(uri) else {"show": f"mlflow ui --backend-store-uri {shown}"}
    return {**command, **pages, "all runs": f"{_runs(uri, experiment_id)}{_WORKFLOW}"}


def _runs(uri: str, experiment_id: str) -> str:
    ui = without_password(uri).rstrip("/") if is_server(uri) else _LOCAL_UI
    return f"{ui}/#/experiments/{experiment_id}/runs"


def save_views(client: MlflowClient, experiment_id: str) -> None:
    """Add the views to the experiment, unless it has them or the user may not change it."""
    with suppress(MlflowException):  # runs do not need them
        existing = client.get_experiment(experiment_id).tags
        for key, (metrics, sections) in VIEWS.items():
            if f"{PREFIX}{key}" not in existing:
                view = _view(key, metrics, sections)
                client.set_experiment_tag(experiment_id, f"{PREFIX}{key}", view)


def _view(key: str, metrics: tuple[str, ...], sections: tuple[str, ...]) -> str:
    state = {
        "searchFilter": f"tags.`{names.TAG_KIND}` = 'train'",
        "orderByKey": f"metrics.`{names.TEST_ACCURACY}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": [f"metrics.`{metric}`" for metric in metrics],
        "columnOrder": [],
        "columnWidths": {},
        "hideEmptyCharts": True,
        # By default the metrics without a section are the last but one section of the charts.
        "compareRunCharts": [],
        "compareRunSections": [
            {"uuid": name, "name": name, "display": True, "isReordered": False, "isGenerated": True}
            for name in sections
        ],
        "isAccordionReordered": True,
    }
    compressed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    name = key.removeprefix("fmnist-").capitalize()
    view = {"name": f"{name} of train runs", "createdAt": _CREATED, "updatedAt": _CREATED}
    return json.dumps({**view, "state": f"deflate;{compressed}"})
