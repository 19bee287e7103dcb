"""What one `crossval` leaves behind, that it does not depend on the workers, and its schedule."""

from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.data import files, idx, splits
from tests.entrypoints.conftest import Bench
from tests.entrypoints.crossval_bench import OPTIONS, children_of, numbers, parent_of

pytestmark = pytest.mark.slow

PARENT = {
    names.CV_VAL_ACCURACY_MEAN, names.CV_VAL_ACCURACY_STD, names.CV_VAL_ACCURACY_LOW,
    names.CV_VAL_ACCURACY_HIGH, names.CV_VAL_ACCURACY_WORST, names.CV_TEST_ACCURACY_MEAN,
    names.CV_TEST_ACCURACY_STD, names.CV_OOF_ACCURACY, names.CV_FOLDS, names.CV_FOLDS_RESUMED,
    names.CV_SECONDS, names.CV_WORKER_PEAK_BYTES,
}  # fmt: skip
ARTIFACTS = {
    names.FIGURE_CV_ACCURACY, names.FIGURE_CV_CONVERGENCE, names.TABLE_FOLDS,
    names.PREDICTIONS_OUT_OF_FOLD,
}  # fmt: skip


def artifacts(bench: Bench, run: Run) -> Path:
    return Path(bench.client.download_artifacts(run.info.run_id, ""))


def test_the_parent_tells_of_all_folds(crossvalidated: Bench) -> None:
    parent = parent_of(crossvalidated)
    assert parent.info.status == "FINISHED"
    logged = {k: v for k, v in parent.data.metrics.items() if not k.startswith("system/")}
    assert logged.keys() == PARENT
    folder = artifacts(crossvalidated, parent)
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == ARTIFACTS

    table = pd.read_csv(folder / names.TABLE_FOLDS)
    held_out, test = table[names.FOLD_ACCURACY], table[names.TEST_ACCURACY]
    assert table[names.FOLD].tolist() == [1, 2, 3]
    assert logged[names.CV_VAL_ACCURACY_MEAN] == pytest.approx(held_out.mean())
    assert logged[names.CV_VAL_ACCURACY_STD] == pytest.approx(held_out.std(ddof=0))
    assert logged[names.CV_VAL_ACCURACY_WORST] == pytest.approx(held_out.min())
    assert logged[names.CV_TEST_ACCURACY_MEAN] == pytest.approx(test.mean())
    assert f"{logged[names.CV_VAL_ACCURACY_MEAN]:.4f}" in parent.data.tags[names.TAG_NOTE]


def test_every_row_is_answered_by_a_network_that_has_not_seen_it(crossvalidated: Bench) -> None:
    parent = parent_of(crossvalidated)
    table = pd.read_parquet(artifacts(crossvalidated, parent) / names.PREDICTIONS_OUT_OF_FOLD)
    labels = idx.read_labels(crossvalidated.data_dir / f"{files.TRAIN_LABELS}.gz")
    rows = splits.stratified_subset(labels, OPTIONS["train_size"], seed=0)
    assert table["index"].tolist() == rows.tolist()
    assert table["label"].tolist() == labels[rows].tolist()
    right = (table["predicted"] == table["label"]).mean()
    assert parent.data.metrics[names.CV_OOF_ACCURACY] == pytest.approx(right)


def test_each_fold_is_a_nested_run(crossvalidated: Bench) -> None:
    children = children_of(crossvalidated, parent_of(crossvalidated))
    assert [child.data.params[names.FOLD] for child in children] == ["1", "2", "3"]
    for child in children:
        assert child.info.status == "FINISHED"
        assert child.data.tags[names.TAG_KIND] == "fold"
        assert child.data.params["epochs"] == "2"
        history = crossvalidated.client.get_metric_history(child.info.run_id, names.VAL_LOSS)
        assert [metric.step for metric in history] == [1, 2]
        folder = artifacts(crossvalidated, child)
        answers = pd.read_parquet(folder / names.PREDICTIONS_FOLD)
        right = (answers["predicted"] == answers["label"]).mean()
        assert child.data.metrics[names.FOLD_ACCURACY] == pytest.approx(right)
        answers = pd.read_parquet(folder / names.PREDICTIONS_TEST)
        right = (answers["predicted"] == answers["label"]).mean()
        assert child.data.metrics[names.TEST_ACCURACY] == pytest.approx(right)


def test_on_a_server_one_worker_gives_the_same_and_drift_raises_the_alarm(
    crossvalidated: Bench, bench: Bench, server: str
) -> None:
    """The server knows two runs of the configuration, better than any network can be."""
    first = parent_of(crossvalidated)
    assert names.TAG_ALARM not in first.data.tags
    bench.environment["MLFLOW_TRACKING_URI"] = server
    told = (names.TAG_KIND, names.TAG_CONFIG_DIGEST)
    for _ in range(2):
        run = bench.client.create_run("0", tags={name: first.data.tags[name] for name in told})
        bench.client.log_metric(run.info.run_id, names.CV_VAL_ACCURACY_MEAN, 2.0)
        bench.client.log_metric(run.info.run_id, names.CV_VAL_ACCURACY_STD, 0.0)
        bench.client.set_terminated(run.info.run_id)
    done = bench.finish(bench.python("crossval", **OPTIONS, workers=1))
    assert done.returncode == 3, done.stderr
    assert "crossval: drift: held-out accuracy" in done.stderr
    third = parent_of(bench)
    assert third.info.status == "FINISHED"
    assert third.data.tags[names.TAG_ALARM].startswith("drift: ")
    assert numbers(bench, third) == numbers(crossvalidated, first)
    stored = {file.path for file in bench.client.list_artifacts(third.info.run_id, "figures")}
    assert stored == {names.FIGURE_CV_ACCURACY, names.FIGURE_CV_CONVERGENCE}

    # What is done is not done again, though its alarm was raised.
    done = bench.finish(bench.python("crossval", **OPTIONS, if_done="skip"))
    assert done.returncode == 0, done.stderr
    assert f"nothing to do: run {third.info.run_id} has the same configuration" in done.stdout
    assert parent_of(bench).info.run_id == third.info.run_id


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"resume": "0" * 32}, "no such run"),
        ({"model": "vgg16", "weights": "TEXT"}, "got one that cannot be read"),
    ],
)
def test_bad_input_is_told_early(bench: Bench, options: dict[str, str], told: str) -> None:
    text = bench.folder / "text.h5"
    text.write_text("no weights")
    options = {k: str(text) if v == "TEXT" else v for k, v in options.items()}
    done = bench.finish(bench.python("crossval", cache_dir=bench.folder, **options))
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert bench.runs() == []


def test_a_cross_validation_teaches_and_its_pupil_too(crossvalidated: Bench) -> None:
    teacher = parent_of(crossvalidated).info.run_id
    asked = {"epochs": 1, "train_size": OPTIONS["train_size"]}
    refused = crossvalidated.finish(crossvalidated.python("train", teacher=teacher, epochs=1))
    assert refused.returncode == 2
    assert "no answer on some of the training rows" in refused.stderr
    losses = []
    for share in (0, 1):
        found = student(crossvalidated, **asked, teacher=teacher, distillation_weight=share)
        assert found.data.tags[names.TAG_TEACHER] == teacher
        losses.append(found.data.metrics[names.TRAIN_LOSS])
    assert losses[0] != losses[1]
    second = student(crossvalidated, **asked, teacher=found.info.run_id)
    assert second.data.tags[names.TAG_TEACHER].startswith("models:/m-")
    assert not [run for run in crossvalidated.runs() if run.info.status == "RUNNING"]


def student(bench: Bench, **options: object) -> Run:
    done = bench.finish(bench.python("train", **options))
    assert done.returncode == 0, done.stderr
    return bench.runs()[0]
