"""Finding runs asks the store no more questions when it holds thousands of other runs."""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from mlflow.tracking._tracking_service.utils import _get_store
from sqlalchemy import event

from fmnist import names
from fmnist.comparison.load import gather
from fmnist.options import Crossval, Train
from fmnist.tracking.logged import RunStore
from fmnist.tracking.parameters import unquoted
from tests.helpers.logged_runs import answers, log_crossval, log_eda, log_train, store_at

# How many times each run of these kinds is copied: 2,000 runs in all, of options seen nowhere else.
COPIES = {"fold": 1000, "trial": 500, "eda": 500}


@contextmanager
def counted() -> Iterator[list[str]]:
    """The statements that the store is asked meanwhile."""
    asked: list[str] = []

    def listen(_c: object, _u: object, statement: str, *_: object) -> None:
        asked.append(statement)

    engine = _get_store().engine
    event.listen(engine, "before_cursor_execute", listen)
    yield asked
    event.remove(engine, "before_cursor_execute", listen)


def copy(store: Path, run_id: str, kind: str, number: int) -> None:
    """Copies of a run with all its parameters, metrics and tags, written past MLflow."""
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


def test_other_runs_cost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "mlflow.db"
    with store_at(f"sqlite:///{store}"):
        kept = {log_train(Train(seed=seed), answers(150, seed=seed)) for seed in range(2)}
        log_crossval(Crossval(folds=2), [0.7, 0.8])
        exploration = log_eda(4)

        def compare() -> tuple[int, int]:
            tracemalloc.start()
            with counted() as asked:
                found = gather(RunStore())
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert {run.run_id for run in found.runs} == kept
            assert found.near is not None
            assert found.near.rows == 4
            return len(asked), peak

        compare()  # what is imported on first use is no part of the measurement
        alone, peak_alone = compare()
        template = next(iter(kept))
        for kind, number in COPIES.items():
            copy(store, exploration if kind == "eda" else template, kind, number)
        among_many, peak_among_many = compare()
        assert sum(1 for kind in COPIES for _ in RunStore().newest_first(kind)) == 2001
    assert among_many == alone
    assert peak_among_many < peak_alone + 20e6


def test_parameters_lose_the_quotes_of_the_shell() -> None:
    assert unquoted({"a": "''", "b": "'two words'", "c": "plain", "d": "it's"}) == {
        "a": "", "b": "two words", "c": "plain", "d": "it's",
    }  # fmt: skip
