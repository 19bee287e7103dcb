"""Which logged runs are compared, read back from a real sqlite store, and why not the others."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from fmnist import names
from fmnist.comparison.load import Gathered, gather
from fmnist.errors import BadInput
from fmnist.evaluation import tables
from fmnist.options import Crossval, Eda, Train
from fmnist.tracking.run import open_run
from fmnist.tracking.search import RunStore
from tests.helpers.logged_runs import (
    CLASS_NAMES,
    answers,
    history,
    log_crossval,
    log_eda,
    log_train,
    store_at,
)

VGG = Train(model="vgg16", weights="none")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with store_at(f"sqlite:///{tmp_path}/mlflow.db"):
        yield


def gathered(*run_ids: str, models: tuple[str, ...] = ()) -> Gathered:
    return gather(RunStore(), run_ids, models)


def refused(*run_ids: str) -> str:
    with pytest.raises(BadInput) as told:
        gathered(*run_ids)
    return str(told.value)


def reasons(found: Gathered) -> dict[str, str]:
    return {left_out.run_id or left_out.name: left_out.reason for left_out in found.left_out}


@pytest.mark.usefixtures("store")
def test_everything_comes_back_as_it_was_logged() -> None:
    test, past = answers(170), history(validated=(0.7, 0.71, 0.7), losses=(0.9, 0.5, 0.75))
    lenet = log_train(Train(dropout=0.4, register_as="it"), test, past=past)
    vgg = log_train(VGG, answers(150, seed=1))
    folds = log_crossval(Crossval(dropout=0.4, folds=3), [0.7, 0.8, 0.9])
    log_crossval(Crossval(dropout=0.3, folds=3), [0.1, 0.1, 0.1])
    log_crossval(Crossval(dropout=0.4, folds=3), [0.2, 0.2, 0.2], data="e" * 32)
    exploration = log_eda(7)
    log_eda(9, data="e" * 32)

    found = gathered()
    assert [run.run_id for run in found.runs] == [vgg, lenet]
    run = found.runs[1]
    assert run.options == Train(dropout=0.4, register_as="it")
    assert run.history == past
    assert run.rows.tolist() == list(range(200))
    assert run.test.labels.tolist() == test.labels.tolist()
    assert (run.test.probabilities == test.probabilities).all()
    assert run.metrics[names.TEST_ACCURACY] == 0.85
    assert run.link is None
    assert found.class_names == CLASS_NAMES
    assert found.data_digest == "d" * 32
    assert found.crossvals.keys() == {lenet}
    assert found.crossvals[lenet].run_id == folds
    assert found.crossvals[lenet].held_out == (0.7, 0.8, 0.9)
    assert found.near is not None
    assert (found.near.rows, found.near.run_id) == (7, exploration)
    assert found.left_out == ()


@pytest.mark.usefixtures("store")
def test_the_newest_finished_run_of_each_configuration() -> None:
    log_train(Train(), answers(100))
    log_train(Train(), answers(110), tags={names.TAG_CONFIG_DIGEST: "other code"})
    newest = log_train(Train(cache_dir="elsewhere"), answers(120))
    with pytest.raises(ValueError, match="no cloth"), open_run("train", Train(), {}) as failed:
        raise ValueError("no cloth")
    client = mlflow.MlflowClient()
    client.set_tag(failed.run_id, names.TAG_DATA_DIGEST, "d" * 32)
    seed = log_train(Train(seed=1), answers(130))
    vgg = log_train(VGG, answers(140))

    found = gathered()
    assert [run.run_id for run in found.runs] == [vgg, seed, newest]
    assert reasons(found)[failed.run_id] == "it is FAILED: ValueError: no cloth"
    assert [left_out.reason for left_out in found.left_out[1:]] == [
        "a newer run of the same configuration is compared",
        "a newer run of the same options is compared; its code or libraries are others",
    ]
    assert [run.run_id for run in gathered(models=("lenet5",)).runs] == [seed, newest]


@pytest.mark.usefixtures("store")
def test_what_was_tested_otherwise_is_left_out() -> None:
    kept = [log_train(Train(seed=seed), answers(150, seed=seed)) for seed in range(2)]
    other_data = log_train(Train(seed=2), answers(150), data="e" * 32)
    fewer = log_train(Train(seed=3), answers(90, rows=100))
    moved = log_train(Train(seed=4), answers(150), rows=range(1, 201))
    found = gathered()
    assert {run.run_id for run in found.runs} == set(kept)
    left_out = reasons(found)
    assert left_out.keys() == {other_data, fewer, moved}
    assert "its data set is another (digest eeee" in left_out[other_data]
    assert left_out[fewer] == "its 100 test rows or their labels are not the 200 compared"
    assert left_out[moved] == "its 200 test rows or their labels are not the 200 compared"


def damaged(change: str) -> dict[str, bytes | None]:
    """The files of a run with 150 of 200 rows right, one of them damaged."""
    test = answers(150)
    whole = tables.predictions_parquet(test)
    table = pd.read_parquet(BytesIO(whole))
    if change == "missing":
        return {names.PREDICTIONS_TEST: None}
    if change == "truncated":
        return {names.PREDICTIONS_TEST: whole[: len(whole) // 2]}
    if change == "no parquet":
        return {names.PREDICTIONS_TEST: b"index,label\n0,0\n"}
    if change == "no table":
        return {names.TABLE_HISTORY: b""}
    if change == "column":
        table = table.drop(columns="p3")
    if change == "NaN":
        table.loc[5, "p3"] = np.nan
    if change == "sum":
        table.loc[5, "p3"] += 0.2
    if change == "text":
        table["p3"] = "much"
    if change == "predicted":
        table.loc[5, "predicted"] = (table.loc[5, "predicted"] + 1) % 10
    if change == "twice":
        table.loc[5, "index"] = 6
    if change == "label":
        table.loc[5, "label"] = (table.loc[5, "label"] + 1) % 10
    return {names.PREDICTIONS_TEST: table.to_parquet(index=False)}


DAMAGES = {
    "missing": "predictions/test.parquet: missing",
    "truncated": "predictions/test.parquet: ",
    "no parquet": "predictions/test.parquet: ",
    "no table": "tables/history.csv: No columns",
    "column": "predictions/test.parquet: wanted the columns index, label",
    "NaN": "predictions/test.parquet: values are missing (NaN)",
    "sum": "predictions/test.parquet: each row of probabilities must sum to 1",
    "text": "predictions/test.parquet: ",
    "predicted": "predictions/test.parquet: the predicted class of a row is not its most probable",
    "twice": "predictions/test.parquet: wanted each row of the test file at most once",
    "label": "predictions/test.parquet: its rows have an accuracy of",
}


@pytest.mark.usefixtures("store")
def test_damaged_files_are_named_and_their_runs_left_out() -> None:
    for seed in range(2):
        log_train(Train(seed=seed), answers(150))
    runs = {
        change: log_train(Train(seed=10 + at), answers(150), files=damaged(change))
        for at, change in enumerate(DAMAGES)
    }
    found = gathered()
    assert len(found.runs) == 2
    for change, run_id in runs.items():
        assert reasons(found)[run_id].startswith(DAMAGES[change]), change
        told = refused(run_id, found.runs[0].run_id)
        assert told.startswith(f"runs={run_id} ("), change
        assert DAMAGES[change] in told, change


@pytest.mark.usefixtures("store")
def test_named_runs_are_compared_or_refused() -> None:
    first, second = (log_train(Train(), answers(150 + at)) for at in range(2))
    found = gathered(first, second)
    assert [run.run_id for run in found.runs] == [second, first]
    other_data = log_train(Train(), answers(150), data="e" * 32)
    other_rows = log_train(Train(), answers(90, rows=100))
    crossval = log_crossval(Crossval(folds=2), [0.5, 0.6])
    foreign = mlflow.MlflowClient().create_run("0").info.run_id
    running = mlflow.MlflowClient().create_run("0", tags={names.TAG_KIND: "train"}).info.run_id
    deleted = log_train(Train(seed=9), answers(150))
    mlflow.MlflowClient().delete_run(deleted)
    for run_id, words in {
        "abc": "runs=abc: no such run on the tracking store sqlite:",
        other_data: f"{first} and {other_data} used different data sets",
        other_rows: f"{other_rows} and {first} answered different test rows (100 and 200) or",
        crossval: "that is a run of kind crossval, wanted train",
        foreign: "that is a run of kind foreign, wanted train",
        running: "it is RUNNING; wanted a finished run",
        deleted: "that run was deleted",
    }.items():
        assert words in refused(first, run_id)
    assert "found one, lenet5 (" in refused(first)
    assert "-P model=vgg16\nor the same model with another option:\n" in refused(first)


@pytest.mark.usefixtures("store")
def test_without_runs_it_says_what_to_run_first() -> None:
    command = "\n  mlflow run . -e train --env-manager local"
    with open_run("eda", Eda(), {}):
        pass
    assert f"found none; first run{command}{command} -P model=vgg16" in refused()
    missing = log_train(VGG, answers(150), files={names.PREDICTIONS_TEST: None})
    assert f"{missing}: predictions/test.parquet: missing" in refused()
    log_train(VGG, answers(150))
    assert "found one, vgg16 (" in refused()
    assert f"first run{command}\nor the same model" in refused()


@pytest.mark.usefixtures("store")
def test_experiments_are_looked_into_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    first = log_train(Train(), answers(150))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
    others = {log_train(Train(seed=seed), answers(150)) for seed in (1, 2)}
    assert {run.run_id for run in gather(RunStore()).runs} == others | {first}
    assert {run.run_id for run in gather(RunStore(["another"])).runs} == others
    with pytest.raises(BadInput, match=r"=elsewhere: no such experiment .* of Default, another"):
        RunStore(["elsewhere"])
