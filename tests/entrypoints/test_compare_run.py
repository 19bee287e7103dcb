"""What a run of `compare` contains, on a file and on a server."""

import json
import sys
from collections.abc import Callable

import pytest
from mlflow.entities import LoggedModelOutput

from fmnist import names
from fmnist.comparison.report import FILES
from fmnist.data import dataset
from fmnist.options import Crossval, Train
from tests.helpers.logged_runs import evaluation_of, log_crossval, log_eda, log_train, store_at
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.workspace import Workspace, read_folder, read_table

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


def test_run_compares_all_models_of_the_store(project_runs: ProjectRuns) -> None:
    compare_run = project_runs.get("compare")
    workspace, run, _ = compare_run
    artifacts = compare_run.artifacts()
    assert artifacts.keys() == FILES
    assert read_folder(workspace.folder / "out") == artifacts
    metrics = compare_run.metrics
    table = read_table(artifacts, names.TABLE_COMPARISON)
    assert set(table["model"]) == {"lenet5", "vgg16", "resnet50"}
    assert metrics[names.COMPARED_MODELS] == len(table) >= 4
    assert table[names.VAL_ACCURACY].is_monotonic_decreasing
    assert metrics[names.BEST_TEST_ACCURACY] == pytest.approx(table[names.TEST_ACCURACY].iloc[0])
    headline = run.data.tags[names.TAG_NOTE].splitlines()[0]
    assert "no model has pretrained weights" in headline
    assert b"vgg16 (random weights)" in artifacts[names.COMPARISON_PAGE]


@pytest.mark.slow
def test_server_with_proxied_artifacts_and_without_tensorflow(
    workspace: Workspace, server: str
) -> None:
    workspace.environment["MLFLOW_TRACKING_URI"] = server
    ids = log_two_models(workspace)
    words = workspace.script("compare", output_dir=workspace.folder / "out")[3:]
    done = workspace.execute([sys.executable, "-c", LIST_IMPORTS, *words])
    assert "imported: []" in done.stdout
    [run] = workspace.runs("compare")
    assert run.info.status == "FINISHED"
    assert run.data.tags[names.TAG_COMPARED] == ",".join(ids)
    link = f"{server}/#/experiments/0/runs/{ids[0]}?workflowType=machine_learning"
    metrics = run.data.metrics
    assert (metrics[names.COMPARED_MODELS], metrics[names.LEFT_OUT]) == (2, 0)
    assert metrics[names.BEST_TEST_ACCURACY] == 0.9
    [model] = workspace.client.get_run(run.info.run_id).inputs.model_inputs
    assert workspace.client.get_logged_model(model.model_id).source_run_id == ids[0]

    artifacts = workspace.artifacts(run)
    assert artifacts.keys() == FILES
    assert link.encode() in artifacts[names.COMPARISON_PAGE]
    assert read_folder(workspace.folder / "out") == artifacts
    table = read_table(artifacts, names.TABLE_REPLICATES)
    assert set(table["run_id"]) == set(ids)
    assert link in set(table["run_link"])
    findings = json.loads(artifacts[names.TABLE_COMPARISON_JSON])["findings"]
    assert {"seeds", "near-duplicates"} <= {each["topic"] for each in findings}


def test_comparison_without_the_data(
    workspace: Workspace, call: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    best, other = log_two_models(workspace)
    monkeypatch.setenv("FMNIST_DATA_DIR", str(workspace.folder / "nowhere"))
    printed = call("compare", data_dir="auto", runs=f"{other},{best}", output_dir="out")
    assert "FMNIST_DATA_DIR" in printed.out
    assert read_folder(workspace.folder / "out").keys() == FILES - {names.FIGURE_DISAGREEMENTS}
