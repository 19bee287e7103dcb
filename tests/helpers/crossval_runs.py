"""How tests read a cross-validation from the store."""

from mlflow.entities import Run

from fmnist import names
from tests.helpers.workspace import Workspace

NOT_REPRODUCIBLE = {
    names.EPOCH_SECONDS, names.IMAGES_PER_SECOND, names.FIT_SECONDS, names.FOLD_SECONDS,
    names.CV_SECONDS, names.CV_FOLDS_RESUMED, names.CV_WORKER_PEAK_BYTES, names.PEAK_MEMORY_BYTES,
}  # fmt: skip


def folds_of(workspace: Workspace, parent: Run) -> list[Run]:
    """The runs of the folds, in order."""
    folds = [
        run
        for run in workspace.runs()
        if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id
    ]
    return sorted(folds, key=lambda run: int(run.data.params[names.FOLD]))


def reproducible_metrics(workspace: Workspace, parent: Run) -> list[dict[str, float]]:
    """The metrics of the parent and of its finished folds, without timings and memory."""
    finished = [r for r in folds_of(workspace, parent) if r.info.status == "FINISHED"]
    return [
        {
            name: value
            for name, value in run.data.metrics.items()
            if name not in NOT_REPRODUCIBLE and not name.startswith(names.MACHINE)
        }
        for run in (parent, *finished)
    ]
