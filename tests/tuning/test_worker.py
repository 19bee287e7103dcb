"""A search in the parent process, without training."""

import threading

import numpy as np
import optuna
import pytest

from fmnist.data.dataset import Split
from fmnist.models import factory
from fmnist.options import Tune
from fmnist.tuning import study as studies
from fmnist.tuning import worker

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")

OPTIONS = Tune(recipe="strong", search="dropout", trials=1)


def load(url: str) -> optuna.Study:
    return studies.load_or_create(studies.open_storage(url), "s", OPTIONS)


def test_search_waits_for_the_last_trial_of_another_machine(url: str, monkeypatch, capsys) -> None:
    other_machine = load(url)
    trial = other_machine.ask()
    trial.set_user_attr(studies.RUN_ID, "other")
    sleeps = iter([lambda: None, lambda: other_machine.tell(trial, 0.9)])
    monkeypatch.setattr(worker.time, "sleep", lambda seconds: next(sleeps)())
    rows = Split(np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint8))
    study = load(url)
    inputs = worker.SearchInputs(OPTIONS, factory.create_spec(OPTIONS), rows, url, "s", "mine")
    assert not list(worker.run_search(inputs, study, set()))
    [finished] = studies.finished_trials(study)
    assert (finished.number, finished.score) == (trial.number, 0.9)
    assert capsys.readouterr().out.count("waiting for trials of other processes") == 1


def test_processes_do_not_exceed_the_number_of_trials(url: str, monkeypatch) -> None:
    """Two processes see room for one more trial at the same time; only one runs it."""
    needs_trials, barrier = studies.needs_trials, threading.Barrier(2)
    first_checks = threading.local()

    def check_together(study: optuna.Study, trials: int) -> bool:
        result = needs_trials(study, trials)
        if not hasattr(first_checks, "done"):
            first_checks.done = True
            barrier.wait(300)
        return result

    monkeypatch.setattr(studies, "needs_trials", check_together)
    runs: list[int] = []

    def objective(trial: optuna.Trial) -> float:
        runs.append(trial.number)
        return trial.suggest_float("learning_rate", 0.1, 1.0)

    def run() -> None:
        studies.run_trials(load(url), objective, OPTIONS)

    study = load(url)
    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(runs) == 1
    assert len(studies.finished_trials(study)) == 1
    assert not studies.has_running_trials(study)
