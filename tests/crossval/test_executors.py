"""Folds in worker processes: every fold has an outcome, whatever happens to a process."""

import errno
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import psutil
import pytest

from fmnist.crossval import processes
from fmnist.crossval.executors import LocalExecutor, Outcome, TrainFold, run_folds
from fmnist.crossval.processes import BYTES_PER_WORKER, count_workers
from fmnist.data.splits import Fold
from fmnist.errors import BadInput
from fmnist.results.training import Evaluation, FoldFailed, FoldResult, History

ROWS = np.arange(3)
FOLDS = [Fold(1, fold, ROWS, ROWS) for fold in range(1, 5)]


def result_of(fold: Fold, **metrics: float) -> FoldResult:
    evaluation = Evaluation(np.zeros(3, np.int64), np.full((3, 10), 0.1, np.float32))
    return FoldResult(1, fold.fold, History((metrics,)), ROWS, evaluation, evaluation, 1.0, 1, 0.0)


def inspect_process(fold: Fold) -> FoldResult:
    import fmnist.training.fit  # noqa: F401

    print("output of a worker")
    return result_of(fold, pid=os.getpid(), mlflow="mlflow" in sys.modules)


def raise_in_second(fold: Fold) -> FoldResult:
    if fold.fold == 2:
        raise ValueError("invalid rows")
    return result_of(fold)


def die_once(folder: Path, fold: Fold) -> FoldResult:
    """Fold 3 kills its process the first time."""
    (folder / f"{fold.fold}-{time.time_ns()}").touch()
    if fold.fold == 3 and len(list(folder.glob("3-*"))) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return result_of(fold)


def die_in_first(fold: Fold) -> FoldResult:
    if fold.fold == 1:
        os._exit(9)
    return result_of(fold)


def sleep_after_first(fold: Fold) -> FoldResult:
    if fold.fold > 1:
        time.sleep(600)
    return result_of(fold)


@contextmanager
def running(train_fold: TrainFold, workers: int) -> Iterator[Iterator[Outcome]]:
    with closing(LocalExecutor(train_fold, workers)) as executor:
        yield run_folds(executor, FOLDS)


def worker_processes() -> list[psutil.Process]:
    children = psutil.Process().children()
    return [child for child in children if "popen_loky" in " ".join(child.cmdline())]


@pytest.mark.parametrize(
    ("requested", "cores", "available_workers", "expected"),
    [(0, 64, 6, 6), (0, 4, 6, 4), (0, 4, 0.5, 1), (8, 4, 1, 8)],
)
def test_workers_are_limited_by_cores_and_memory(
    monkeypatch, requested: int, cores: int, available_workers: float, expected: int
) -> None:
    memory = SimpleNamespace(available=int(available_workers * BYTES_PER_WORKER))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    assert count_workers(requested) == expected


@pytest.mark.slow
def test_processes_are_reused_and_silent(capfd) -> None:
    with running(inspect_process, workers=1) as outcomes:
        results = list(outcomes)
    assert [result.key for result in results] == [fold.key for fold in FOLDS]
    rows = [result.history.rows[0] for result in results if isinstance(result, FoldResult)]
    [pid] = {row["pid"] for row in rows}
    assert pid != os.getpid()
    assert not any(row["mlflow"] for row in rows)
    assert capfd.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize(
    ("train_fold", "fold", "reason", "traceback"),
    [
        (raise_in_second, 2, "ValueError: invalid rows", "raise_in_second"),
        (die_in_first, 1, "its process was lost", ""),  # after three attempts
    ],
)
def test_failure_fails_only_its_fold(
    train_fold: TrainFold, fold: int, reason: str, traceback: str
) -> None:
    with running(train_fold, workers=2) as outcomes:
        results = {result.fold: result for result in outcomes}
    failed = results.pop(fold)
    assert isinstance(failed, FoldFailed)
    assert failed.reason.startswith(reason)
    assert traceback in failed.traceback
    assert len(results) == 3
    assert all(isinstance(result, FoldResult) for result in results.values())


@pytest.mark.slow
@pytest.mark.faults
def test_killed_process_reruns_only_its_fold(tmp_path: Path) -> None:
    with running(partial(die_once, tmp_path), workers=2) as outcomes:
        results = [result for result in outcomes if isinstance(result, FoldResult)]
    assert sorted(result.fold for result in results) == [1, 2, 3, 4]
    started = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert started == ["1", "2", "3", "3", "4"]


@pytest.mark.slow
def test_close_ends_the_processes() -> None:
    with running(sleep_after_first, workers=2) as outcomes:
        assert next(outcomes).fold == 1
        processes = worker_processes()
        assert processes
    _, alive = psutil.wait_procs(processes, timeout=300)
    assert alive == []


@pytest.mark.slow
@pytest.mark.faults
def test_process_killed_while_idle_is_replaced() -> None:
    with running(result_of, workers=1) as outcomes:
        first = next(outcomes)
        [process] = worker_processes()
        process.kill()
        psutil.wait_procs([process], timeout=300)
        assert sorted(result.fold for result in (first, *outcomes)) == [1, 2, 3, 4]


@pytest.mark.faults
def test_folds_are_trained_in_this_process_without_shared_memory(
    monkeypatch, capsys, tensorflow: None
) -> None:
    """As in containers whose /dev/shm is missing, full or read-only."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(processes, "ProcessPoolExecutor", fail)
    with closing(LocalExecutor(inspect_process, workers=2)) as executor:
        outcomes = list(run_folds(executor, FOLDS))
    assert [each.history.rows[0]["pid"] for each in outcomes] == [os.getpid()] * len(FOLDS)
    assert "cannot be started ([Errno 30] Read-only file system" in capsys.readouterr().err


def test_number_of_cores_that_is_no_number(monkeypatch) -> None:
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "many")
    with pytest.raises(BadInput, match="LOKY_MAX_CPU_COUNT=many: expected a whole number"):
        count_workers(0)
