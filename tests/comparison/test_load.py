"""Runs are read back from a sqlite store as they were logged; invalid ones are excluded."""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from fmnist import names
from fmnist.comparison.load import load_runs
from fmnist.comparison.results import Comparison, NearDuplicateCount
from fmnist.errors import BadInput
from fmnist.evaluation import tables
from fmnist.options import Crossval, Eda, Train
from fmnist.tracking.run import open_run
from fmnist.tracking.search import RunStore
from tests.helpers.logged_runs import (
    CLASS_NAMES,
    history,
    log_crossval,
    log_eda,
    log_train,
    make_evaluation,
    store_at,
)

VGG = Train(model="vgg16", weights="none")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(autouse=True)
def experiment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[str]:
    """An experiment of its own for each test, because creating a store takes seconds."""
    name = request.node.name
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", name)
    with store_at(f"sqlite:///{folder}/mlflow.db"):
        yield name


def load(*run_ids: str, models: tuple[str, ...] = ()) -> Comparison:
    return load_runs(RunStore([os.environ["MLFLOW_EXPERIMENT_NAME"]]), run_ids, models)


def load_error(*run_ids: str) -> str:
    with pytest.raises(BadInput) as error:
        load(*run_ids)
    return str(error.value)


def get_ids(loaded: Comparison) -> list[str]:
    return [record.run_id for record in loaded.records]


def get_groups(loaded: Comparison) -> list[list[str]]:
    return [[run.record.run_id for run in model.runs] for model in loaded.models]


def get_reasons(loaded: Comparison) -> dict[str, str]:
    return {run.run_id: run.reason for run in loaded.excluded}


def test_runs_are_loaded_as_they_were_logged() -> None:
    test, past = make_evaluation(170), history(validated=(0.7, 0.71, 0.7), losses=(0.9, 0.5, 0.75))
    lenet = log_train(Train(dropout=0.4, register_as="it"), test, past=past)
    vgg = log_train(VGG, make_evaluation(150, seed=1))
    folds = log_crossval(Crossval(dropout=0.4, folds=3), [0.7, 0.8, 0.9])
    log_crossval(Crossval(dropout=0.3, folds=3), [0.1, 0.1, 0.1])
    log_crossval(Crossval(dropout=0.4, folds=3), [0.2, 0.2, 0.2], data="e" * 32)
    exploration = log_eda(7)
    log_eda(9, data="e" * 32)

    loaded = load()
    assert set(get_ids(loaded)) == {vgg, lenet}
    model, other = sorted(loaded.models, key=lambda model: model.label)
    [run] = model.runs
    assert run.options == Train(dropout=0.4, register_as="it")
    assert run.history == past
    assert run.rows.tolist() == list(range(200))
    assert run.test.labels.tolist() == test.labels.tolist()
    assert (run.test.probabilities == test.probabilities).all()
    assert run.record.metrics[names.TEST_ACCURACY] == 0.85
    assert run.record.link is None
    assert loaded.class_names == CLASS_NAMES
    assert loaded.data_digest == "d" * 32
    assert other.crossval is None
    assert model.crossval is not None
    assert model.crossval.record.run_id == folds
    assert model.crossval.fold_accuracies == (0.7, 0.8, 0.9)
    assert loaded.near_duplicates == NearDuplicateCount(7, exploration)
    assert loaded.excluded == ()


def test_runs_that_differ_only_in_their_seed_are_replicates() -> None:
    other = {names.TAG_GROUP: "other code"}
    before = log_train(Train(dropout=0.4, seed=3), make_evaluation(100), tags=other)
    replaced = log_train(Train(dropout=0.4, seed=1), make_evaluation(100))
    seeds = [log_train(Train(dropout=0.4, seed=n), make_evaluation(110 + n)) for n in (2, 0, 1)]
    with pytest.raises(ValueError, match="no cloth"), open_run("train", Train(), {}) as failed:
        raise ValueError("no cloth")
    client = mlflow.MlflowClient()
    client.set_tag(failed.run_id, names.TAG_DATA_DIGEST, "d" * 32)
    vgg = [log_train(VGG.model_copy(update={"seed": n}), make_evaluation(140 + n)) for n in (0, 1)]

    loaded = load()
    assert get_groups(loaded) == [[seeds[1], seeds[2], seeds[0]], vgg]
    assert get_reasons(loaded)[failed.run_id] == "status FAILED: ValueError: no cloth"
    counted = {run.reason for run in loaded.excluded if not run.run_id}
    assert len(counted) == 2
    assert any("newer run with the same options and seed" in reason for reason in counted)
    assert any("other versions of code or libraries" in reason for reason in counted)

    named = load(before, replaced, seeds[0])
    assert sorted(get_groups(named)) == sorted([[replaced, seeds[0]], [before]])
    both = load(vgg[0], replaced, seeds[2])
    assert get_groups(both) == [[seeds[2]], [vgg[0]]]
    assert "same options and seed" in get_reasons(both)[replaced]


def test_runs_on_other_data_or_test_rows_are_excluded() -> None:
    kept = [log_train(Train(dropout=n / 10), make_evaluation(150, seed=n)) for n in range(3)]
    other_data = log_train(Train(seed=2), make_evaluation(150), data="e" * 32)
    fewer = log_train(Train(seed=3), make_evaluation(90, rows=100))
    moved = log_train(Train(seed=4), make_evaluation(150), rows=range(1, 201))
    loaded = load()
    assert set(get_ids(loaded)) == set(kept)
    reasons = get_reasons(loaded)
    assert reasons.keys() == {other_data, fewer, moved}
    assert "other data set (eeee" in reasons[other_data]
    assert "100 test rows" in reasons[fewer]
    assert "200 test rows" in reasons[moved]


def damaged_files() -> dict[str, dict[str, bytes | None]]:
    """Files that replace those of a run with 150 of 200 rows correct, by the message about them."""
    whole = tables.predictions_parquet(make_evaluation(150))
    table = pd.read_parquet(BytesIO(whole))
    changed = {
        "column p3 is missing": table.drop(columns="p3"),
        "values are missing (NaN)": table.assign(p3=table["p3"].where(table["index"] != 5)),
        "each row of probabilities must sum to 1": table.assign(p3=table["p3"] + 0.2),
        "Invalid comparison between dtype=str": table.assign(p3="much"),
        "the predicted class of a row is not its most probable": table.assign(predicted=3),
        "row numbers are negative or not unique": table.assign(index=6),
        "its predictions have an accuracy of": table.assign(label=3),
    }
    predictions = {message: each.to_parquet(index=False) for message, each in changed.items()}
    predictions |= {"missing": None, "": whole[: len(whole) // 2]}
    return {
        "tables/history.csv: No columns": {names.TABLE_HISTORY: b""},
        **{
            f"{names.PREDICTIONS_TEST}: {message}": {names.PREDICTIONS_TEST: content}
            for message, content in predictions.items()
        },
    }


def test_runs_with_invalid_files_are_excluded() -> None:
    for dropout in (0, 0.4):
        log_train(Train(dropout=dropout), make_evaluation(150))
    runs = {
        message: log_train(Train(seed=10 + at), make_evaluation(150), files=files)
        for at, (message, files) in enumerate(damaged_files().items())
    }
    loaded = load()
    assert len(loaded.records) == 2
    for message, run_id in runs.items():
        assert get_reasons(loaded)[run_id].startswith(message)
        named = load_error(run_id, get_ids(loaded)[0])
        assert named.startswith(f"runs={run_id} (")
        assert message in named


def test_named_runs_are_loaded_or_rejected() -> None:
    first, second = (log_train(Train(dropout=at / 10), make_evaluation(150)) for at in range(2))
    assert set(get_ids(load(first, second))) == {second, first}
    other_data = log_train(Train(), make_evaluation(150), data="e" * 32)
    other_rows = log_train(Train(dropout=0.3), make_evaluation(90, rows=100))
    crossval = log_crossval(Crossval(folds=2), [0.5, 0.6])
    foreign = mlflow.MlflowClient().create_run("0").info.run_id
    running = mlflow.MlflowClient().create_run("0", tags={names.TAG_KIND: "train"}).info.run_id
    deleted = log_train(Train(seed=9), make_evaluation(150))
    mlflow.MlflowClient().delete_run(deleted)
    for run_id, words in {
        "abc": "runs=abc: no such run in the tracking store sqlite:",
        other_data: f"{first} and {other_data} used different data sets",
        other_rows: "have predictions for different test rows (100 and 200)",
        crossval: "expected a run of train, got crossval",
        foreign: "expected a run of train, got foreign",
        running: "expected a finished run, got status RUNNING",
        deleted: "it was deleted",
    }.items():
        assert words in load_error(first, run_id)
    message = load_error(first)
    assert "found one model, lenet5 (" in message
    assert "-P model=vgg16\n" in message


def test_too_few_runs_are_explained_with_the_commands_to_run() -> None:
    command = "\n  mlflow run . -e train --env-manager local"
    with open_run("eda", Eda(), {}):
        pass
    assert f"found none; first run{command}{command} -P model=vgg16" in load_error()
    missing = log_train(VGG, make_evaluation(150), files={names.PREDICTIONS_TEST: None})
    assert f"{missing}: predictions/test.parquet: missing" in load_error()
    log_train(VGG, make_evaluation(150))
    assert "found one model, vgg16 (" in load_error()
    assert f"first run{command}\n" in load_error()


def test_runs_of_named_experiments(experiment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = log_train(Train(), make_evaluation(150))
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "another")
    others = {log_train(Train(dropout=n / 10), make_evaluation(150)) for n in (1, 2)}
    both = load_runs(RunStore([experiment, "another"]))
    assert set(get_ids(both)) == others | {first}
    assert set(get_ids(load_runs(RunStore(["another"])))) == others
    assert {first, *others} <= {run.run_id for run in RunStore().search("train")}
    with pytest.raises(BadInput, match=r"=elsewhere: no such experiment .* another"):
        RunStore(["elsewhere"])
