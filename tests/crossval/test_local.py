"""Folds side by side: each is trained, whatever happens to the others or to their processes."""

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from fmnist.crossval.local import run_folds
from fmnist.data.splits import Fold
from fmnist.results.training import Evaluation, FoldFailed, FoldResult, History

pytestmark = pytest.mark.slow

ROWS = np.arange(3)
FOLDS = [Fold(1, fold, ROWS, ROWS) for fold in range(1, 5)]


def trained(fold: Fold, **told: float) -> FoldResult:
    """A result as a worker would send it, with what it has to tell in place of metrics."""
    answers = Evaluation(np.zeros(3, np.int64), np.full((3, 10), 0.1, np.float32))
    return FoldResult(1, fold.fold, History((told,)), ROWS, answers, answers, 1.0, 1, 0.0)


def look_around(fold: Fold) -> FoldResult:
    import fmnist.training.fit  # noqa: F401

    print("what several processes print at once cannot be read")
    return trained(fold, pid=os.getpid(), mlflow="mlflow" in sys.modules)


def fail_second(fold: Fold) -> FoldResult:
    if fold.fold == 2:
        raise ValueError("no cloth")
    return trained(fold)


def die_once(mark: Path, fold: Fold) -> FoldResult:
    """Fold 3 kills its process the first time it is tried."""
    if fold.fold == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return trained(fold)


def sleep_later(fold: Fold) -> FoldResult:
    """Fold 1 is done at once, the others keep their processes busy."""
    if fold.fold > 1:
        time.sleep(600)
    return trained(fold)


def die_always(fold: Fold) -> FoldResult:
    os._exit(9)


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "popen_loky" in " ".join(child.cmdline())]


def test_workers_are_processes_that_know_no_mlflow(capfd) -> None:
    results = list(run_folds(look_around, FOLDS, workers=1))
    assert sorted(r.key for r in results) == [fold.key for fold in FOLDS]
    told = [r.history.rows[0] for r in results if isinstance(r, FoldResult)]
    pids = {row["pid"] for row in told}
    assert os.getpid() not in pids
    assert len(pids) <= 2 < len(FOLDS), "workers are reused"
    assert not any(row["mlflow"] for row in told)
    assert capfd.readouterr().out == ""


@pytest.mark.faults
def test_a_fold_that_fails_is_named_and_the_others_go_on() -> None:
    results = {r.fold: r for r in run_folds(fail_second, FOLDS, 2)}
    assert results.keys() == {1, 2, 3, 4}
    failed = results.pop(2)
    assert isinstance(failed, FoldFailed)
    assert failed.reason == "ValueError: no cloth"
    assert "fail_second" in failed.traceback
    assert all(isinstance(r, FoldResult) for r in results.values())


@pytest.mark.faults
def test_a_killed_process_costs_no_fold(tmp_path: Path) -> None:
    results = list(run_folds(partial(die_once, tmp_path / "mark"), FOLDS, 2))
    assert (tmp_path / "mark").exists()
    assert sorted(r.fold for r in results if isinstance(r, FoldResult)) == [1, 2, 3, 4]


@pytest.mark.faults
def test_processes_that_always_die_are_given_up() -> None:
    results = list(run_folds(die_always, FOLDS[:2], 2))
    assert sorted(r.fold for r in results) == [1, 2]
    assert all(isinstance(r, FoldFailed) and "died 3 times" in r.reason for r in results)


def test_closing_ends_the_workers() -> None:
    results = run_folds(sleep_later, FOLDS, 2)
    next(results)
    assert workers_of(psutil.Process())
    results.close()
    _, alive = psutil.wait_procs(workers_of(psutil.Process()), timeout=10)
    assert alive == []
