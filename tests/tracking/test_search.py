"""Searches return all results, and do not depend on how many other runs the store has."""

import sqlite3
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from fmnist import names
from fmnist.comparison.load import load_runs
from fmnist.options import Crossval, Train
from fmnist.tracking import search
from fmnist.tracking.nested import NestedRun, log_nested_run
from fmnist.tracking.run import open_run
from fmnist.tracking.search import RunStore, finished_runs, nested_runs
from tests.helpers.logged_runs import log_crossval, log_eda, log_train, make_evaluation, store_at
from tests.helpers.stores import create_store

# Number of copies by kind: 2,000 runs with options that no other run has.
COPIES = {"fold": 1000, "trial": 500, "eda": 500}


def copy(store: Path, run_id: str, kind: str, number: int) -> None:
    """Insert copies of a run with all its parameters, metrics and tags."""
    with closing(sqlite3.connect(store)) as database, database:
        for table in ("runs", "params", "latest_metrics", "metrics", "tags"):
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(
                f"'{kind}' || printf('%028x', i)" if column == "run_uuid" else f'"{column}"'
                for column in columns
            )
            named = ", ".join(f'"{column}"' for column in columns)
            many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            chosen = f"SELECT {values} FROM {table}, n WHERE run_uuid = ?"  # noqa: S608
            database.execute(f"{many} INSERT INTO {table} ({named}) {chosen}", (number, run_id))
        database.execute(
            "UPDATE tags SET value = ? WHERE key = ? AND run_uuid LIKE ? || '%'",
            (kind, names.TAG_KIND, kind),
        )


@pytest.mark.slow
def test_other_runs_cost_nothing(tmp_path: Path, statements: list[str]) -> None:
    store = tmp_path / "mlflow.db"
    with store_at(create_store(store)):
        kept = {log_train(Train(dropout=n / 10), make_evaluation(150, seed=n)) for n in range(2)}
        log_crossval(Crossval(folds=2), [0.7, 0.8])
        exploration = log_eda(4)

        def compare() -> tuple[int, int]:
            tracemalloc.start()
            before = len(statements)
            loaded = load_runs(RunStore())
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert {record.run_id for record in loaded.records} == kept
            assert loaded.near_duplicates is not None
            assert loaded.near_duplicates.rows == 4
            return len(statements) - before, peak

        compare()  # the first comparison imports modules, which is not measured
        alone, peak_alone = compare()
        template = next(iter(kept))
        for kind, number in COPIES.items():
            copy(store, exploration if kind == "eda" else template, kind, number)
        among_many, peak_among_many = compare()
        assert sum(1 for kind in COPIES for _ in RunStore().search(kind)) == 2001
    assert among_many == alone
    assert peak_among_many < peak_alone + 20e6


def test_searches_return_all_pages(client: MlflowClient, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(search, "_PAGE_SIZE", 5)
    tags = {names.TAG_CONFIG_DIGEST: "d", names.TAG_KIND: "fold"}
    with open_run("crossval", Train(), {}) as run:
        log_nested_run(run, NestedRun("fold", {}, tags, 1.0, 2.0))
        [child] = nested_runs(run.run_id, "fold")
        copy(tmp_path / "mlflow.db", child.run_id, "fold", 12)
        assert len(nested_runs(run.run_id, "fold")) == 13
        assert len(finished_runs("fold", "d")) == 13
