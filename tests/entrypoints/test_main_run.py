"""What a run of `main` contains; a study that fails, is interrupted and is completed."""

import json
import signal
from pathlib import Path

import psutil
import pytest

from fmnist import names
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.workspace import TIMEOUT_SECONDS, Workspace

SMALL = {"epochs": 1, "folds": 2, "tsne_rows": 120, "weights": "none"}


def by_kind(workspace: Workspace) -> dict[str, list]:
    found: dict[str, list] = {}
    for run in workspace.runs():
        found.setdefault(run.data.tags[names.TAG_KIND], []).append(run)
    return found


def test_study_takes_finished_runs_and_compares_them(project_runs: ProjectRuns) -> None:
    main_run = project_runs.get("main")
    workspace, run, printed = main_run
    assert main_run.metrics[names.STUDY_STEPS_SKIPPED] == 6
    [compare_run] = [
        r for r in workspace.runs() if r.data.tags.get("mlflow.parentRunId") == run.info.run_id
    ]
    assert compare_run.data.tags[names.TAG_KIND] == "compare"
    assert compare_run.data.metrics[names.COMPARED_MODELS] == 4
    assert project_runs.get("train").run.info.run_id in printed
    artifacts = main_run.artifacts()
    assert artifacts[names.COMPARISON_PAGE].startswith(b"<!DOCTYPE html>")
    rows = json.loads(artifacts[names.REPRODUCTION])
    [parameters] = [r for r in rows if (r["step"], r["number"]) == ("lenet5", "parameters_total")]
    assert (parameters["measured"], parameters["passed"]) == (44_426, True)


@pytest.mark.faults
@pytest.mark.slow
def test_same_command_completes_the_study(workspace: Workspace, tmp_path: Path) -> None:
    cache, page = tmp_path / "cache", tmp_path / "out"
    options = SMALL | {"cache_dir": cache, "output_dir": page}
    features = cache / "features"
    cache.mkdir()
    features.write_text("in the way")  # of the first step that needs features

    failed = workspace.execute(workspace.script("main", **options))
    assert failed.returncode == 1
    assert "the step `vgg16` ended with exit code 2" in failed.stderr
    kinds = by_kind(workspace)
    [study] = kinds["study"]
    assert study.info.status == "FAILED"
    assert {run.info.status for run in kinds["eda"] + kinds["train"]} == {"FINISHED"}
    assert len(kinds["train"]) == 2
    features.unlink()

    launcher = workspace.start(workspace.project("main", **options))
    workspace.wait_for_output(launcher, "step resnet50")
    processes = psutil.Process(launcher.pid).children(recursive=True)
    launcher.send_signal(signal.SIGTERM)
    launcher.wait(timeout=TIMEOUT_SECONDS)
    psutil.wait_procs(processes, timeout=TIMEOUT_SECONDS)
    assert not [process for process in processes if process.is_running()]
    assert {run.info.status for run in by_kind(workspace)["study"]} == {"FAILED", "KILLED"}
    assert "RUNNING" not in {run.info.status for run in workspace.runs()}

    finished = workspace.execute(workspace.project("main", **options))
    assert finished.returncode == 0, finished.stderr
    kinds = by_kind(workspace)
    study = kinds["study"][0]
    done = [run for run in kinds["train"] if run.info.status == "FINISHED"]
    assert sorted(run.data.tags[names.TAG_MODEL] for run in done) == [
        "lenet5", "lenet5", "resnet50", "vgg16",
    ]  # fmt: skip
    nested = {
        run.data.tags[names.TAG_KIND]
        for run in workspace.runs()
        if run.data.tags.get("mlflow.parentRunId") == study.info.run_id
    }
    assert nested == {"train", "crossval", "compare"}  # resnet50; the others were done before
    assert study.info.status == "FINISHED"
    assert study.data.metrics[names.STUDY_STEPS_SKIPPED] == 4
    assert study.data.tags[names.TAG_WEIGHTS] == "vgg16 none, resnet50 none"
    assert "epochs=1 instead of 10" in study.data.tags[names.TAG_NOTE]
    assert (page / "comparison.html").read_text().startswith("<!DOCTYPE html>")
    numbers = json.loads((page / names.REPRODUCTION).read_text())
    [lenet] = [n for n in numbers if (n["step"], n["number"]) == ("lenet5", "parameters_total")]
    assert (lenet["measured"], lenet["passed"]) == (44_426, True)
    [vgg] = [n for n in numbers if (n["step"], n["number"]) == ("vgg16", "test_accuracy")]
    assert (vgg["passed"], "weights none" in vgg["expected_miss"]) == (None, True)
