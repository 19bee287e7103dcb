"""What a run of `crossval` contains, its drift alarm, and distillation from its predictions."""

from collections.abc import Callable

import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.data import idx
from tests.helpers.project_runs import EPOCHS, OPTIONS, ProjectRun, ProjectRuns
from tests.helpers.workspace import Workspace, accuracy, read_table, reproducible_metrics

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


def test_parent_run_summarizes_the_folds(crossval_run: ProjectRun) -> None:
    metrics, artifacts = crossval_run.metrics, crossval_run.artifacts()
    assert metrics.keys() == METRICS
    assert artifacts.keys() == ARTIFACTS
    table = read_table(artifacts, names.TABLE_FOLDS)
    validation, test = table["fold_accuracy"], table[names.TEST_ACCURACY]
    assert table[names.FOLD].tolist() == [1, 2, 3]
    assert metrics[names.CV_VAL_ACCURACY_MEAN] == pytest.approx(validation.mean())
    assert metrics[names.CV_VAL_ACCURACY_STD] == pytest.approx(validation.std(ddof=0))
    assert metrics[names.CV_VAL_ACCURACY_WORST] == pytest.approx(validation.min())
    assert metrics[names.CV_TEST_ACCURACY_MEAN] == pytest.approx(test.mean())
    note = crossval_run.run.data.tags[names.TAG_NOTE]
    assert f"{metrics[names.CV_VAL_ACCURACY_MEAN]:.4f}" in note

    predictions = read_table(artifacts, names.PREDICTIONS_OUT_OF_FOLD)
    labels = idx.read_labels(crossval_run.workspace.data_dir / f"{idx.TRAIN_LABELS}.gz")
    assert predictions["index"].tolist() == list(range(600))
    assert predictions["label"].tolist() == labels.tolist()
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
        for metric, file in (
            (names.FOLD_ACCURACY, names.PREDICTIONS_FOLD),
            (names.TEST_ACCURACY, names.PREDICTIONS_TEST),
        ):
            predictions = read_table(artifacts, file)
            assert fold.data.metrics[metric] == pytest.approx(accuracy(predictions))


@pytest.mark.slow
def test_one_worker_gives_the_same_result_on_a_server_and_drift_raises_the_alarm(
    crossval_run: ProjectRun, workspace: Workspace, server: str, call: Callable, monkeypatch
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
    done = workspace.execute(workspace.script("crossval", **options), 3)
    assert "crossval: drift: " in done.stderr
    third = workspace.runs("crossval")[0]
    assert third.info.status == "FINISHED"
    assert third.data.tags[names.TAG_ALARM].startswith("drift: ")
    assert reproducible_metrics(third) == reproducible_metrics(first)
    figures = workspace.client.list_artifacts(third.info.run_id, "figures")
    assert {f.path for f in figures} == {f for f in ARTIFACTS if f.startswith("figures/")}

    # A finished run is not repeated, in spite of its alarm.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert third.info.run_id in call("crossval", **options, if_done="skip").out
    assert workspace.runs("crossval")[0].info.run_id == third.info.run_id


@pytest.mark.slow
def test_distillation_from_a_crossval_run_and_from_a_train_run(
    crossval_run: ProjectRun, copied_store: Workspace, call: Callable, tensorflow: None
) -> None:
    teacher = crossval_run.run.info.run_id

    def train_student(teacher: str, weight: float) -> Run:
        call("train", epochs=1, teacher=teacher, distillation_weight=weight)
        return copied_store.runs("train")[0]

    students = [train_student(teacher, weight) for weight in (0, 1)]
    assert {run.data.tags[names.TAG_TEACHER] for run in students} == {teacher}
    first, second = (run.data.metrics[names.TRAIN_LOSS] for run in students)
    assert first != second
    third = train_student(students[1].info.run_id, 0.5)
    assert third.data.tags[names.TAG_TEACHER].startswith("models:/m-")
    assert "RUNNING" not in {run.info.status for run in copied_store.runs()}
