"""What one `crossval` leaves behind, that it does not depend on the workers, and its schedule."""

from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.data import files, idx
from tests.entrypoints.conftest import Bench
from tests.entrypoints.crossval_bench import OPTIONS, children_of, numbers, parent_of

PARENT = {
    names.CV_VAL_ACCURACY_MEAN, names.CV_VAL_ACCURACY_STD, names.CV_VAL_ACCURACY_LOW,
    names.CV_VAL_ACCURACY_HIGH, names.CV_VAL_ACCURACY_WORST, names.CV_TEST_ACCURACY_MEAN,
    names.CV_TEST_ACCURACY_STD, names.CV_OOF_ACCURACY, names.CV_FOLDS, names.CV_FOLDS_RESUMED,
    names.CV_SECONDS,
}  # fmt: skip
ARTIFACTS = {
    names.FIGURE_CV_ACCURACY, names.FIGURE_CV_CONVERGENCE, names.TABLE_FOLDS,
    names.PREDICTIONS_OUT_OF_FOLD,
}  # fmt: skip


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory, small_data_dir: Path) -> Bench:
    """A bench after `mlflow run . -e crossval` with two workers."""
    bench = Bench(tmp_path_factory.mktemp("crossval"), small_data_dir)
    done = bench.finish(bench.mlflow("crossval", **OPTIONS, workers=2))
    assert done.returncode == 0, done.stdout + done.stderr
    return bench


def artifacts(bench: Bench, run: Run) -> Path:
    return Path(bench.client.download_artifacts(run.info.run_id, ""))


def test_the_parent_tells_of_all_folds(launched: Bench) -> None:
    parent = parent_of(launched)
    assert parent.info.status == "FINISHED"
    logged = {k: v for k, v in parent.data.metrics.items() if not k.startswith("system/")}
    assert logged.keys() == PARENT
    folder = artifacts(launched, parent)
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == ARTIFACTS

    table = pd.read_csv(folder / names.TABLE_FOLDS)
    held_out, test = table[names.FOLD_ACCURACY], table[names.TEST_ACCURACY]
    assert table[names.FOLD].tolist() == [1, 2, 3]
    assert logged[names.CV_VAL_ACCURACY_MEAN] == pytest.approx(held_out.mean())
    assert logged[names.CV_VAL_ACCURACY_STD] == pytest.approx(held_out.std(ddof=0))
    assert logged[names.CV_VAL_ACCURACY_WORST] == pytest.approx(held_out.min())
    assert logged[names.CV_TEST_ACCURACY_MEAN] == pytest.approx(test.mean())
    assert f"{logged[names.CV_VAL_ACCURACY_MEAN]:.4f}" in parent.data.tags[names.TAG_NOTE]


def test_every_row_is_answered_by_a_network_that_has_not_seen_it(launched: Bench) -> None:
    parent = parent_of(launched)
    table = pd.read_parquet(artifacts(launched, parent) / names.PREDICTIONS_OUT_OF_FOLD)
    labels = idx.read_labels(launched.data_dir / f"{files.TRAIN_LABELS}.gz")
    assert table["index"].tolist() == list(range(len(labels)))
    assert table["label"].tolist() == labels.tolist()
    right = (table["predicted"] == table["label"]).mean()
    assert parent.data.metrics[names.CV_OOF_ACCURACY] == pytest.approx(right)


def test_each_fold_is_a_nested_run(launched: Bench) -> None:
    children = children_of(launched, parent_of(launched))
    assert [child.data.params[names.FOLD] for child in children] == ["1", "2", "3"]
    for child in children:
        assert child.info.status == "FINISHED"
        assert child.data.tags[names.TAG_KIND] == "fold"
        assert child.data.params["epochs"] == "2"
        history = launched.client.get_metric_history(child.info.run_id, names.VAL_LOSS)
        assert [metric.step for metric in history] == [1, 2]
        folder = artifacts(launched, child)
        answers = pd.read_parquet(folder / names.PREDICTIONS_FOLD)
        right = (answers["predicted"] == answers["label"]).mean()
        assert child.data.metrics[names.FOLD_ACCURACY] == pytest.approx(right)
        answers = pd.read_parquet(folder / names.PREDICTIONS_TEST)
        right = (answers["predicted"] == answers["label"]).mean()
        assert child.data.metrics[names.TEST_ACCURACY] == pytest.approx(right)


def test_one_worker_gives_the_same_and_drift_raises_the_alarm(launched: Bench) -> None:
    """Two earlier runs that were better than any network can be: the third is not like them."""
    first = parent_of(launched)
    done = launched.finish(launched.python("crossval", **OPTIONS, workers=1))
    assert done.returncode == 0, done.stderr
    second = parent_of(launched)
    assert second.info.run_id != first.info.run_id
    assert numbers(launched, second) == numbers(launched, first)
    assert names.TAG_ALARM not in second.data.tags

    for run in (first, second):
        launched.client.log_metric(run.info.run_id, names.CV_VAL_ACCURACY_MEAN, 2.0)
        launched.client.log_metric(run.info.run_id, names.CV_VAL_ACCURACY_STD, 0.0)
    done = launched.finish(launched.python("crossval", **OPTIONS))
    assert done.returncode == 3, done.stderr
    assert "crossval: drift: held-out accuracy" in done.stderr
    third = parent_of(launched)
    assert third.info.status == "FINISHED"
    assert third.data.tags[names.TAG_ALARM].startswith("drift: ")

    # What is done is not done again, though its alarm was raised.
    done = launched.finish(launched.python("crossval", **OPTIONS, if_done="skip"))
    assert done.returncode == 0, done.stderr
    assert f"nothing to do: run {third.info.run_id} has done the same" in done.stdout
    assert parent_of(launched).info.run_id == third.info.run_id


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"folds": 1}, "folds"),
        ({"folds": 61}, "folds: wanted 2 to 60, got 61: class"),
        ({"resume": "abc"}, "resume"),
        ({"resume": "0" * 32}, "no such run"),
        ({"cache_dir": "/dev/null"}, "name a cache_dir that can be written"),
    ],
)
def test_bad_input_is_told_early(bench: Bench, options: dict[str, object], told: str) -> None:
    done = bench.finish(bench.python("crossval", **{"cache_dir": bench.folder, **options}))
    assert done.returncode == 2, done.stdout + done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert bench.runs() == []
