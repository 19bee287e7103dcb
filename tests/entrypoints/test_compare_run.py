"""What a run of `compare` contains, on a file and on a server, and what it rejects."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import LoggedModelOutput

from fmnist import names
from fmnist.comparison.report import FILES
from fmnist.data import dataset
from fmnist.options import Crossval, Train
from tests.helpers.logged_runs import evaluation_of, log_crossval, log_eda, log_train, store_at
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.workspace import Workspace

# Runs the entry point as `python -m` does, then prints which large packages it has imported.
LIST_IMPORTS = """
import runpy, sys
try:
    runpy.run_module("entrypoints.compare", run_name="__main__", alter_sys=True)
finally:
    print("imported:", sorted({"tensorflow", "keras", "torch"} & set(sys.modules)))
"""


def log_two_models(workspace: Workspace) -> list[str]:
    """The ids of two runs, the better one first; it has a model and a cross-validation."""
    data = dataset.load(str(workspace.data_dir), "auto")
    labels, digest = data.test.labels, data.digest
    with store_at(workspace.store):
        best = log_train(Train(), evaluation_of(labels, 180), data=digest)
        model = workspace.client.create_logged_model("0", source_run_id=best)
        workspace.client.log_outputs(best, [LoggedModelOutput(model.model_id, 3)])
        vgg = Train(model="vgg16", weights="none")
        other = log_train(vgg, evaluation_of(labels, 100, seed=1), data=digest)
        log_crossval(Crossval(folds=2), [0.8, 0.9], data=digest)
        log_eda(4, digest)
    return [best, other]


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_run_compares_all_models_of_the_store(project_runs: ProjectRuns) -> None:
    compare_run = project_runs.get("compare")
    workspace, run, _ = compare_run
    artifacts = compare_run.artifacts()
    assert artifacts.keys() == FILES
    assert contents(workspace.folder / "out") == artifacts
    metrics = compare_run.metrics
    lines = list(csv.DictReader(artifacts[names.TABLE_COMPARISON].decode().splitlines()))
    assert {line["model"] for line in lines} == {"lenet5", "vgg16", "resnet50"}
    assert metrics[names.COMPARED_MODELS] == len(lines) >= 4
    validated = [float(line[names.VAL_ACCURACY]) for line in lines]
    assert validated == sorted(validated, reverse=True)
    assert metrics[names.BEST_TEST_ACCURACY] == pytest.approx(float(lines[0][names.TEST_ACCURACY]))
    headline = run.data.tags[names.TAG_NOTE].splitlines()[0]
    assert "no model has pretrained weights" in headline
    assert b"vgg16 (random weights)" in artifacts[names.COMPARISON_PAGE]


@pytest.mark.slow
def test_links_and_models_on_a_server_with_proxied_artifacts(
    workspace: Workspace, server: str
) -> None:
    workspace.environment["MLFLOW_TRACKING_URI"] = server
    ids = log_two_models(workspace)
    done = workspace.execute(workspace.script("compare", output_dir=workspace.folder / "out"))
    assert done.returncode == 0, done.stdout + done.stderr
    [run] = workspace.runs("compare")
    assert run.info.status == "FINISHED"
    assert run.data.tags[names.TAG_COMPARED] == ",".join(ids)
    link = f"{server}/#/experiments/0/runs/{ids[0]}?workflowType=machine_learning"
    assert link.encode() in workspace.artifacts(run)[names.COMPARISON_PAGE]
    metrics = run.data.metrics
    assert (metrics[names.COMPARED_MODELS], metrics[names.LEFT_OUT]) == (2, 0)
    assert metrics[names.BEST_TEST_ACCURACY] == 0.9
    [model] = workspace.client.get_run(run.info.run_id).inputs.model_inputs
    assert workspace.client.get_logged_model(model.model_id).source_run_id == ids[0]

    artifacts = workspace.artifacts(run)
    assert contents(workspace.folder / "out") == artifacts
    lines = list(csv.DictReader(artifacts[names.TABLE_REPLICATES].decode().splitlines()))
    assert {line["run_id"] for line in lines} == set(ids)
    assert link in {line["run_link"] for line in lines}
    findings = json.loads(artifacts[names.TABLE_COMPARISON_JSON])["findings"]
    assert {"seeds", "near-duplicates"} <= {each["topic"] for each in findings}


@pytest.mark.slow
def test_tensorflow_is_not_imported(workspace: Workspace) -> None:
    log_two_models(workspace)
    command = [sys.executable, "-c", LIST_IMPORTS, *workspace.script("compare")[3:]]
    done = workspace.execute(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "imported: []" in done.stdout
    [run] = workspace.runs("compare")
    assert workspace.artifacts(run).keys() == FILES


def test_comparison_without_the_data(
    workspace: Workspace, call: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, other = log_two_models(workspace)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(workspace.folder / "nowhere"))
    done = call("compare", data_dir="auto", runs=f"{other},{best}", output_dir="out")
    assert done.code == 0, done.stderr
    assert "FMNIST_DATA_DIR" in done.stdout
    assert contents(workspace.folder / "out").keys() == FILES - {names.FIGURE_DISAGREEMENTS}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "mlflow run . -e train --env-manager local\n"),
        ({"runs": "abc"}, "runs=abc: no such run"),
        ({"models": "vgg17"}, "models=vgg17"),
        ({"models": "vgg16", "runs": "abc"}, "models"),
        ({"experiments": "none"}, "experiments=none"),
        ({"output_dir": "."}, "mlflow.db"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_invalid_input_is_rejected_before_a_run_is_created(
    workspace: Workspace, call: Callable, options: dict[str, str], message: str
) -> None:
    done = call("compare", **options)
    assert done.code == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("compare: ")
    assert "Traceback" not in done.stderr
    assert workspace.runs() == []
