"""What the tests of `crossval` share: a small one, and how to read it from the store."""

from mlflow.entities import Run

from fmnist import names
from tests.entrypoints.conftest import Bench

FOLDS = 3
OPTIONS = {"folds": FOLDS, "epochs": 2, "learning_rate": 0.003, "train_size": 300}
CLOCKS = {
    names.EPOCH_SECONDS, names.IMAGES_PER_SECOND, names.FIT_SECONDS, names.FOLD_SECONDS,
    names.CV_SECONDS, names.CV_FOLDS_RESUMED, names.CV_WORKER_PEAK_BYTES, names.PEAK_MEMORY_BYTES,
}  # fmt: skip


def parents(bench: Bench) -> list[Run]:
    """The cross-validations of the store, the newest first."""
    return [run for run in bench.runs() if run.data.tags.get(names.TAG_KIND) == "crossval"]


def parent_of(bench: Bench) -> Run:
    """The newest cross-validation of the store."""
    return parents(bench)[0]


def children_of(bench: Bench, parent: Run) -> list[Run]:
    """Its folds, in order."""
    children = [
        run for run in bench.runs() if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    ]
    return sorted(children, key=lambda run: int(run.data.params[names.FOLD]))


def numbers(bench: Bench, parent: Run) -> list[dict[str, float]]:
    """All metrics of the parent and of its finished folds, but for clocks and memory."""
    finished = [r for r in children_of(bench, parent) if r.info.status == "FINISHED"]
    return [
        {
            name: value
            for name, value in run.data.metrics.items()
            if name not in CLOCKS and not name.startswith("system/")
        }
        for run in (parent, *finished)
    ]
