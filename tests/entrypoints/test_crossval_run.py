"""What a run of `crossval` contains, its drift alarm, and distillation from its predictions."""

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.data import idx
from tests.helpers.project_runs import EPOCHS, OPTIONS, ProjectRun, ProjectRuns
from tests.helpers.workspace import Workspace, reproducible_metrics

METRICS = {
    names.CV_VAL_ACCURACY_MEAN, names.CV_VAL_ACCURACY_STD, names.CV_VAL_ACCURACY_LOW,
    names.CV_VAL_ACCURACY_HIGH, names.CV_VAL_ACCURACY_WORST, names.CV_TEST_ACCURACY_MEAN,
    names.CV_TEST_ACCURACY_STD, names.CV_OOF_ACCURACY, names.CV_FOLDS, names.CV_FOLDS_RESUMED,
    names.CV_SECONDS, names.PEAK_MEMORY_BYTES,
}  # fmt: skip
ARTIFACTS = {
    names.FIGURE_CV_ACCURACY, names.FIGURE_CV_CONVERGENCE, names.FIGURE_LABEL_ISSUES,
    names.TABLE_FOLDS, names.TABLE_LABEL_ISSUES, names.PREDICTIONS_OUT_OF_FOLD,
}  # fmt: skip


@pytest.fixture(scope="module")
def crossval_run(project_runs: ProjectRuns) -> ProjectRun:
    return project_runs.get("crossval")


def accuracy(predictions: bytes) -> float:
    table = pd.read_parquet(io.BytesIO(predictions))
    return float((table["predicted"] == table["label"]).mean())


def test_parent_run_summarizes_the_folds(crossval_run: ProjectRun) -> None:
    metrics, artifacts = crossval_run.metrics, crossval_run.artifacts()
    assert metrics.keys() == METRICS
    assert artifacts.keys() == ARTIFACTS
    table = pd.read_csv(io.BytesIO(artifacts[names.TABLE_FOLDS]))
    validation, test = table["fold_accuracy"], table[names.TEST_ACCURACY]
    assert table[names.FOLD].tolist() == [1, 2, 3]
    assert metrics[names.CV_VAL_ACCURACY_MEAN] == pytest.approx(validation.mean())
    assert metrics[names.CV_VAL_ACCURACY_STD] == pytest.approx(validation.std(ddof=0))
    assert metrics[names.CV_VAL_ACCURACY_WORST] == pytest.approx(validation.min())
    assert metrics[names.CV_TEST_ACCURACY_MEAN] == pytest.approx(test.mean())
    note = crossval_run.run.data.tags[names.TAG_NOTE]
    assert f"{metrics[names.CV_VAL_ACCURACY_MEAN]:.4f}" in note

    predictions = artifacts[names.PREDICTIONS_OUT_OF_FOLD]
    table = pd.read_parquet(io.BytesIO(predictions))
    labels = idx.read_labels(crossval_run.workspace.data_dir / f"{idx.TRAIN_LABELS}.gz")
    assert table["index"].tolist() == list(range(600))
    assert table["label"].tolist() == labels.tolist()
    assert metrics[names.CV_OOF_ACCURACY] == pytest.approx(accuracy(predictions))


def test_each_fold_is_a_nested_run(crossval_run: ProjectRun) -> None:
    workspace, parent, _ = crossval_run
    folds = workspace.children(parent)
    assert sorted(fold.data.params[names.FOLD] for fold in folds) == ["1", "2", "3"]
    for fold in folds:
        assert fold.info.status == "FINISHED"
        assert fold.data.tags[names.TAG_KIND] == "fold"
        contexts = {one.tags[0].value for one in fold.inputs.dataset_inputs}
        assert contexts == {"training", "validation", "held-out", "test"}
        assert fold.data.params["epochs"] == str(EPOCHS)
        history = workspace.client.get_metric_history(fold.info.run_id, names.VAL_LOSS)
        assert [metric.step for metric in history] == [1, 2, 3]
        artifacts = workspace.artifacts(fold)
        assert fold.data.metrics[names.FOLD_ACCURACY] == pytest.approx(
            accuracy(artifacts[names.PREDICTIONS_FOLD])
        )
        assert fold.data.metrics[names.TEST_ACCURACY] == pytest.approx(
            accuracy(artifacts[names.PREDICTIONS_TEST])
        )


@pytest.mark.slow
def test_one_worker_gives_the_same_result_on_a_server_and_drift_raises_the_alarm(
    crossval_run: ProjectRun, workspace: Workspace, server: str
) -> None:
    """The server has two runs of the configuration, better than any network can be."""
    first = crossval_run.run
    assert names.TAG_ALARM not in first.data.tags
    workspace.environment["MLFLOW_TRACKING_URI"] = server
    for _ in range(2):
        tags = {k: first.data.tags[k] for k in (names.TAG_KIND, names.TAG_CONFIG_DIGEST)}
        run = workspace.client.create_run("0", tags=tags)
        workspace.client.log_metric(run.info.run_id, names.CV_VAL_ACCURACY_MEAN, 2.0)
        workspace.client.log_metric(run.info.run_id, names.CV_VAL_ACCURACY_STD, 0.0)
        workspace.client.set_terminated(run.info.run_id)
    options = OPTIONS["crossval"] | {"workers": 1}
    done = workspace.execute(workspace.script("crossval", **options))
    assert done.returncode == 3, done.stderr
    assert "crossval: drift: " in done.stderr
    third = workspace.runs("crossval")[0]
    assert third.info.status == "FINISHED"
    assert third.data.tags[names.TAG_ALARM].startswith("drift: ")
    assert reproducible_metrics(third) == reproducible_metrics(first)
    figures = workspace.client.list_artifacts(third.info.run_id, "figures")
    assert {f.path for f in figures} == {f for f in ARTIFACTS if f.startswith("figures/")}

    # A finished run is not repeated, in spite of its alarm.
    done = workspace.execute(workspace.script("crossval", **options, if_done="skip"))
    assert done.returncode == 0, done.stderr
    assert third.info.run_id in done.stdout
    assert workspace.runs("crossval")[0].info.run_id == third.info.run_id


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resume": "0" * 32}, "no such run"),
        ({"model": "vgg16", "weights": "TEXT"}, "text.h5: expected a Keras weights file"),
    ],
)
def test_invalid_input_is_rejected_before_a_run_is_created(
    workspace: Workspace, call: Callable, options: dict[str, str], message: str
) -> None:
    text = workspace.folder / "text.h5"
    text.write_text("no weights")
    options = {k: str(text) if v == "TEXT" else v for k, v in options.items()}
    done = call("crossval", cache_dir=workspace.folder, **options)
    assert done.code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert workspace.runs() == []


@pytest.mark.slow
def test_distillation_from_a_crossval_run_and_from_a_train_run(
    crossval_run: ProjectRun, copied_store: Workspace, call: Callable, tensorflow: None
) -> None:
    teacher = crossval_run.run.info.run_id

    def student(teacher: str, weight: float) -> Run:
        done = call("train", epochs=1, teacher=teacher, distillation_weight=weight)
        assert done.code == 0, done.stderr
        return copied_store.runs("train")[0]

    students = [student(teacher, weight) for weight in (0, 1)]
    assert {run.data.tags[names.TAG_TEACHER] for run in students} == {teacher}
    first, second = (run.data.metrics[names.TRAIN_LOSS] for run in students)
    assert first != second
    third = student(students[1].info.run_id, 0.5)
    assert third.data.tags[names.TAG_TEACHER].startswith("models:/m-")
    assert "RUNNING" not in {run.info.status for run in copied_store.runs()}


def test_teacher_must_have_predictions_for_all_training_rows(
    crossval_run: ProjectRun, copied_store: Workspace, call: Callable, tmp_path: Path
) -> None:
    table = pd.read_parquet(io.BytesIO(crossval_run.artifacts()[names.PREDICTIONS_OUT_OF_FOLD]))
    incomplete = copied_store.client.create_run("0", tags=crossval_run.run.data.tags)
    folder = tmp_path / "predictions"
    folder.mkdir()
    table[1:].to_parquet(folder / Path(names.PREDICTIONS_OUT_OF_FOLD).name)
    run_id = incomplete.info.run_id
    copied_store.client.log_artifacts(run_id, str(folder), "predictions")
    copied_store.client.set_terminated(run_id)
    done = call("train", teacher=run_id)
    assert done.code == 2
    assert f"teacher={run_id}" in done.stderr
