"""Two saved views of an experiment in MLflow's UI, in its menu "Views": accuracy and cost.

The format is that of MLflow 3.17, which stores a view as a tag of the experiment: JSON with a name
and a state, which is compressed JSON. Other versions ignore the tags.
"""

import base64
import json
import zlib
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from fmnist import names

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


def save_views(client: MlflowClient, experiment_id: str) -> None:
    """Add the views to the experiment, unless it has them or the user may not change it."""
    try:
        existing = client.get_experiment(experiment_id).tags
        for key, (metrics, sections) in VIEWS.items():
            if f"{PREFIX}{key}" not in existing:
                client.set_experiment_tag(
                    experiment_id, f"{PREFIX}{key}", _view(key, metrics, sections)
                )
    except MlflowException:
        return  # runs do not need them


def _view(key: str, metrics: tuple[str, ...], sections: tuple[str, ...]) -> str:
    state: dict[str, Any] = {
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
