"""A study in a real database: shared by processes, given back by those that stop, as values."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import optuna
import pytest

from fmnist.errors import BadInput
from fmnist.options import Tune
from fmnist.tuning import storage
from fmnist.tuning import study as studies

# Trials are asked for singly here, so that a test can look at one that is at work.
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")

OPTIONS = Tune(recipe="strong", search="dropout,learning_rate")
QUEUED = 24


@pytest.fixture
def study(url: str) -> optuna.Study:
    return studies.joined(storage.opened(url), "s", OPTIONS)


def finish(study: optuna.Study, score: float, run_id: str = "a") -> optuna.Trial:
    trial = study.ask()
    trial.set_user_attr(studies.RUN, run_id)
    trial.suggest_float("learning_rate", 0.0003, 0.02, log=True)
    trial.suggest_categorical("dropout", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5))
    study.tell(trial, score)
    return trial


def test_the_first_trial_is_what_is_given_and_only_once(study: optuna.Study, url: str) -> None:
    again = studies.joined(storage.opened(url), "s", OPTIONS)
    first, second = finish(study, 0.5), finish(again, 0.6)
    assert first.params == {"learning_rate": 0.001, "dropout": 0.0}
    assert second.params != first.params
    assert len(studies.tried(study)) == 2


def test_others_join_with_the_same_configuration_only(study: optuna.Study, url: str) -> None:
    studies.check_alike(study, "a")
    again = studies.joined(storage.opened(url), "s", OPTIONS)
    studies.check_alike(again, "a")
    with pytest.raises(BadInput, match="study=s: it was begun with the configuration a, and this"):
        studies.check_alike(again, "b")


def test_there_is_room_until_enough_have_ended_or_are_at_work(study: optuna.Study) -> None:
    finish(study, 0.5)
    study.ask()
    assert studies.needs_trials(study, 3)
    assert not studies.needs_trials(study, 2)


def test_a_trial_that_was_stopped_is_tried_again_and_those_of_others_go_on(study) -> None:
    mine, other = study.ask(), study.ask()
    mine.set_user_attr(studies.RUN, "a")
    other.set_user_attr(studies.RUN, "b")
    chosen = mine.suggest_float("learning_rate", 0.0003, 0.02, log=True)
    studies.requeue(study, "a")
    states = [trial.state.name for trial in study.trials]
    assert states == ["FAIL", "RUNNING", "WAITING"]
    again = study.ask()
    assert again.suggest_float("learning_rate", 0.0003, 0.02, log=True) == chosen


def test_a_pruned_trial_has_the_score_it_had(study: optuna.Study) -> None:
    trial = study.ask()
    trial.report(0.4, 1)
    trial.report(0.6, 2)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    [tried] = studies.tried(study)
    assert (tried.pruned, tried.score, tried.history) == (True, 0.6, None)


def test_numbers_are_read_as_a_command_line_has_them(study: optuna.Study) -> None:
    finish(study, 0.5)
    finish(study, 0.5)
    assert all(len(str(t.chosen["learning_rate"])) < 9 for t in studies.tried(study))


def test_the_same_seed_and_number_choose_the_same(url: str, tmp_path: Path) -> None:
    def chosen(place: str, seed: int) -> list[dict]:
        options = OPTIONS.model_copy(update={"seed": seed})
        study = studies.joined(storage.opened(place), "s", options)
        for number in range(4):
            study.sampler = studies.sampler(options, number)
            finish(study, 0.5)
        return [trial.params for trial in study.trials]

    first = chosen(url, 0)
    assert chosen(f"sqlite:///{tmp_path}/second.db", 0) == first
    assert chosen(f"sqlite:///{tmp_path}/third.db", 1)[1:] != first[1:]
    assert len({str(params) for params in first}) == 4


def test_importance_needs_something_to_go_by(study: optuna.Study) -> None:
    assert studies.importances(study) == {}
    for number in range(12):
        study.sampler = studies.sampler(OPTIONS, number)
        finish(study, number / 12)
    shares = studies.importances(study)
    assert set(shares) == {"dropout", "learning_rate"}
    assert sum(shares.values()) == pytest.approx(1)


def try_all(url: str, name: str, together: Barrier) -> None:
    study = studies.joined(storage.opened(url), "s", OPTIONS)
    together.wait(300)
    mine = 0
    while any(t.state.name == "WAITING" for t in study.get_trials(deepcopy=False)):
        trial = study.ask()
        trial.set_user_attr(name, value=True)
        study.tell(trial, 0.5)
        mine += 1
        if mine == 1:
            together.wait(300)  # neither has done all before the other began


@pytest.mark.slow
def test_two_processes_never_try_the_same_trial(study: optuna.Study, url: str) -> None:
    for _ in range(QUEUED - 1):
        study.enqueue_trial({"dropout": 0.1})
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(2)
    processes = [
        context.Process(target=try_all, args=(url, name, together)) for name in ("one", "two")
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0]
    queued = study.trials[:QUEUED]
    assert all(len(trial.user_attrs) == 1 for trial in queued)
    assert {name for trial in queued for name in trial.user_attrs} == {"one", "two"}
