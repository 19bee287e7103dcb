"""What a run of `main` contains; a study that fails, is interrupted and is completed."""

import json
import sys
import time
from pathlib import Path

import psutil
import pytest

from fmnist import names
from tests.helpers.project_runs import EPOCHS, ProjectRuns
from tests.helpers.workspace import (
    TIMEOUT_SECONDS,
    Workspace,
    reproducible_metrics,
    wait_until_ended,
)

SMALL = {
    "epochs": 1, "folds": 2, "tsne_rows": 120, "weights": "none", "seeds": 1, "train_size": 200,
}  # fmt: skip


def test_study_takes_finished_runs_and_compares_them(project_runs: ProjectRuns) -> None:
    main_run = project_runs.get("main")
    workspace, run, printed = main_run
    assert main_run.metrics[names.STUDY_STEPS_SKIPPED] == 10
    [compare_run] = workspace.children(run)
    assert compare_run.data.tags[names.TAG_KIND] == "compare"
    assert compare_run.data.metrics[names.COMPARED_MODELS] == 4
    assert project_runs.get("train").run.info.run_id in printed
    artifacts = main_run.artifacts()
    assert artifacts[names.COMPARISON_PAGE].startswith(b"<!DOCTYPE html>")
    rows = json.loads(artifacts[names.REPRODUCTION])
    [parameters] = [r for r in rows if (r["step"], r["number"]) == ("lenet5", "parameters_total")]
    assert (parameters["measured"], parameters["passed"]) == (44_426, True)


@pytest.mark.slow
def test_replicates_in_one_process_equal_runs_of_train(
    project_runs: ProjectRuns, workspace: Workspace
) -> None:
    """The second seed of a process has the results of a process of its own."""
    alone = project_runs.get("train")
    flags = workspace.script("train", epochs=EPOCHS)[3:]
    command = [sys.executable, "-m", "fmnist.training.replicates", "1,0", *flags]
    workspace.execute(command)
    second, first = workspace.runs("train")
    assert [run.data.params["seed"] for run in (first, second)] == ["1", "0"]
    shared = [run.data.tags[names.TAG_GROUP] for run in (first, second, alone.run)]
    assert len(set(shared)) == 1
    assert reproducible_metrics(second) == reproducible_metrics(alone.run)
    assert reproducible_metrics(first) != reproducible_metrics(alone.run)


@pytest.mark.faults
@pytest.mark.slow
def test_same_command_completes_the_study(workspace: Workspace, tmp_path: Path) -> None:
    page = tmp_path / "out"
    options = SMALL | {"cache_dir": tmp_path / "cache", "output_dir": page}
    failing = workspace.start(workspace.script("main", **options, workers=1))
    workspace.wait_for_output(failing, "\nlenet5 dropout 0.4 (runs")
    while not (children := psutil.Process(failing.pid).children()):
        time.sleep(0.05)
    for child in children:
        child.kill()
    printed = workspace.wait(failing, 1)
    assert "step `lenet5 dropout 0.4` failed with exit code -9" in printed
    [study] = workspace.runs("study")
    assert study.info.status == "FAILED"
    finished = [run for run in workspace.runs("train") if run.info.status == "FINISHED"]
    assert {run.data.tags[names.TAG_MODEL] for run in finished} == {"resnet50", "vgg16"}

    options["workers"] = 2
    launcher = workspace.start(workspace.project("main", **options))
    workspace.wait_for_output(launcher, "lenet5: seed 0")
    processes = psutil.Process(launcher.pid).children(recursive=True)
    launcher.terminate()
    launcher.wait(timeout=TIMEOUT_SECONDS)
    wait_until_ended(processes)
    assert {run.info.status for run in workspace.runs("study")} == {"FAILED", "KILLED"}
    assert "RUNNING" not in {run.info.status for run in workspace.runs()}

    workspace.execute(workspace.script("main", **options))
    study = workspace.runs("study")[0]
    trained = [run for run in workspace.runs("train") if run.info.status == "FINISHED"]
    models = sorted(run.data.tags[names.TAG_MODEL] for run in trained)
    assert models == ["lenet5", "lenet5", "resnet50", "vgg16"]
    kinds = {run.data.tags[names.TAG_KIND] for run in workspace.children(study)}
    assert kinds - {"eda"} == {"train", "crossval", "compare"}
    assert "FINISHED" in {run.info.status for run in workspace.runs("eda")}  # of this study or not
    assert study.info.status == "FINISHED"
    assert study.data.metrics[names.STUDY_STEPS_SKIPPED] >= 2  # the backbones
    assert study.data.tags[names.TAG_WEIGHTS] == "vgg16 none, resnet50 none"
    assert "epochs=1 instead of 10" in study.data.tags[names.TAG_NOTE]
    assert (page / "comparison.html").read_text().startswith("<!DOCTYPE html>")
    rows = json.loads((page / names.REPRODUCTION).read_text())
    [accuracy] = [r for r in rows if (r["step"], r["number"]) == ("vgg16", "test_accuracy")]
    assert accuracy["passed"] is None
    assert "weights none" in accuracy["expected_miss"]
