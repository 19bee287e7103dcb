"""One `mlflow run` of each entry point, in one store, for the tests that read such runs."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from filelock import FileLock
from mlflow.entities import Run

from fmnist import names
from fmnist.data import dataset
from fmnist.models import factory
from fmnist.options import Study, Train
from fmnist.study.steps import BACKBONE_MODELS, LENET, create_stages
from tests.helpers.logged_runs import evaluation_of, log_train, store_at
from tests.helpers.stores import create_store
from tests.helpers.workspace import Workspace

EPOCHS = 3
FOLDS = 3
_FIT: Final = {"epochs": EPOCHS}
STUDY: Final = {**_FIT, "folds": FOLDS, "tsne_rows": 300, "weights": "none", "seeds": 2}
OPTIONS: Final[dict[str, dict[str, object]]] = {
    "eda": {"tsne_rows": 300},
    "train": {**_FIT, "register_as": "small"},
    "crossval": {**_FIT, "folds": FOLDS, "workers": 2},
    "promote": {"register_as": "small", "min_val_accuracy": 0.05},
    "tune": {
        "epochs": 1, "trials": 2, "seeds": 1, "workers": 1, "search": "learning_rate,dropout",
        "pruner": "none",
    },
    "main": STUDY,
    "compare": {},
}  # fmt: skip
# What has to be in the store before.
_NEEDED: Final = {"promote": ("train",), "main": ("eda", "train", "crossval"), "compare": ("main",)}


class ProjectRun(NamedTuple):
    """A finished run, the workspace of its store, and what the command has printed."""

    workspace: Workspace
    run: Run
    printed: str

    @property
    def metrics(self) -> dict[str, float]:
        """The metrics of the run, without those of the machine."""
        metrics = self.run.data.metrics
        return {k: v for k, v in metrics.items() if not k.startswith(names.MACHINE)}

    def artifacts(self) -> dict[str, bytes]:
        return self.workspace.artifacts(self.run)


class ProjectRuns:
    """The runs, each made when a process of the suite first needs it."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self._lock = FileLock(f"{folder}.lock")
        self.workspace = Workspace(folder, data_dir)
        self.workspace.environment = {names.STUDY_STORAGE: f"sqlite:///{folder}/tune.db"}
        with self._lock:
            if not folder.exists():
                folder.mkdir()
                create_store(folder / "mlflow.db")

    def get(self, entry: str) -> ProjectRun:
        """The run of the entry point with OPTIONS."""
        workspace = self.workspace
        printed = workspace.folder / f"{entry}.txt"
        with self._lock:
            for other in _NEEDED.get(entry, ()):
                self.get(other)
            if not printed.exists():
                if entry == "main":
                    self._log_other_models()
                options = dict(OPTIONS[entry])
                if entry == "compare":
                    options["output_dir"] = workspace.folder / "out"
                command = workspace.project(entry, **options)
                if entry == "train":
                    done = workspace.execute(command)
                    printed.write_text(done.stdout + done.stderr)
                else:
                    self._launch_from_here(command[3:], printed)
        kind = "study" if entry == "main" else entry
        [run] = [
            run
            for run in workspace.runs(kind)
            if not run.data.tags.get("mlflow.parentRunId")
            and "mlflow.project.entryPoint" in run.data.tags
        ]
        return ProjectRun(workspace, run, printed.read_text())

    def _launch_from_here(self, arguments: list[str], printed: Path) -> None:
        """Call `mlflow` in this process, which has imported it; write what the entry prints."""
        from mlflow.cli import cli

        unfinished = printed.with_suffix(".part")
        with store_at(self.workspace.store), pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.workspace.folder)
            for name, value in self.workspace.command_environment().items():
                patch.setenv(name, value)
            with _redirect_output(unfinished), warnings.catch_warnings(action="ignore"):
                try:
                    cli.main(arguments, standalone_mode=False)
                except SystemExit as end:
                    raise AssertionError(unfinished.read_text()) from end
        unfinished.rename(printed)

    def _log_other_models(self) -> None:
        """Log runs of the study's other models without training them; `main` takes them as done."""
        data_dir = str(self.workspace.data_dir)
        options = Study(data_dir=data_dir, **STUDY)
        data = dataset.load(data_dir, "auto")
        stages = create_stages(options, dict.fromkeys(BACKBONE_MODELS, "none"), data.digest)
        steps = [step for stage in stages for group in stage for step in group]
        with store_at(self.workspace.store):
            for n, step in enumerate(each for each in steps if isinstance(each.options, Train)):
                if (step.name, step.options.seed) != (LENET, 0):
                    spec = factory.create_spec(step.options)
                    tags = spec.tags | spec.configuration(step.options, data.digest).tags
                    predictions = evaluation_of(data.test.labels, 100 + 20 * n, seed=n)
                    log_train(step.options, predictions, data=data.digest, tags=tags)


@contextmanager
def _redirect_output(path: Path) -> Iterator[None]:
    """Write to a file what child processes print."""
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with path.open("wb") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        for descriptor, original in zip((1, 2), saved, strict=True):
            os.dup2(original, descriptor)
            os.close(original)
