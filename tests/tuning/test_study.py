"""A study in a real database, shared by processes, and its storage."""

import multiprocessing
from multiprocessing.synchronize import Barrier
from pathlib import Path

import optuna
import pytest

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.options import Tune
from fmnist.tuning import study as studies

# These tests ask for single trials, to look at one that is running.
pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage")

OPTIONS = Tune(recipe="strong", search="dropout,learning_rate")
QUEUED = 24


def load(url: str, options: Tune = OPTIONS) -> optuna.Study:
    return studies.load_or_create(studies.open_storage(url), "s", options)


@pytest.fixture
def study(url: str) -> optuna.Study:
    return load(url)


def score(trial: optuna.Trial) -> float:
    trial.suggest_categorical("dropout", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5))
    return trial.suggest_float("learning_rate", 0.0003, 0.02, log=True)


def run(study: optuna.Study, trials: int, seed: int = 0) -> None:
    options = OPTIONS.model_copy(update={"trials": trials, "seed": seed})
    studies.run_trials(study, score, options)


def test_password_is_allowed_in_the_environment_only(monkeypatch) -> None:
    monkeypatch.setenv(names.STUDY_STORAGE, "postgresql://me:secret@host/db")
    assert studies.storage_url("auto") == "postgresql+psycopg2://me:secret@host/db"
    with pytest.raises(BadInput, match=names.STUDY_STORAGE) as rejected:
        studies.storage_url("postgresql://me:secret@host/db")
    assert "secret" not in str(rejected.value)


def test_unusable_storages_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected the URL of a database"):
        studies.storage_url("tune.db")
    with pytest.raises(WorkFailed, match="cannot be used"):
        studies.open_storage(f"sqlite:///{tmp_path}/missing/tune.db")
    with pytest.raises(BadInput, match="driver"):
        studies.open_storage("oracle://host/db")


def test_first_trial_has_the_given_options_once(study: optuna.Study, url: str) -> None:
    run(load(url), 2)
    first, second = study.trials
    assert first.params == {"learning_rate": 0.001, "dropout": 0.0}
    assert second.params != first.params


def test_study_accepts_one_configuration(study: optuna.Study, url: str) -> None:
    studies.check_configuration(study, "a")
    again = load(url)
    studies.check_configuration(again, "a")
    with pytest.raises(BadInput, match="study=s: it was started with configuration a, expected b"):
        studies.check_configuration(again, "b")


def test_trials_are_needed_until_enough_are_finished_or_running(study: optuna.Study) -> None:
    run(study, 1)
    study.ask()
    assert studies.needs_trials(study, 3)
    assert not studies.needs_trials(study, 2)
    assert studies.has_running_trials(study)


def test_requeue_repeats_only_the_trials_of_its_run(study: optuna.Study) -> None:
    mine, other = study.ask(), study.ask()
    mine.set_user_attr(studies.RUN_ID, "a")
    other.set_user_attr(studies.RUN_ID, "b")
    value = score(mine)
    studies.requeue(study, "a")
    assert [trial.state.name for trial in study.trials] == ["FAIL", "RUNNING", "WAITING"]
    assert score(study.ask()) == value


def test_pruned_trial_has_its_last_score(study: optuna.Study) -> None:
    trial = study.ask()
    trial.report(0.4, 1)
    trial.report(0.6, 2)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    [result] = studies.finished_trials(study)
    assert (result.pruned, result.score, result.history) == (True, 0.6, None)


def test_same_seed_chooses_the_same_values(url: str, tmp_path: Path) -> None:
    def choose(name: str, seed: int) -> list[dict]:
        study = load(f"sqlite:///{tmp_path}/{name}.db")
        run(study, 4, seed)
        return [trial.params for trial in study.trials]

    first = choose("first", 0)
    assert choose("second", 0) == first
    assert choose("third", 1)[1:] != first[1:]
    assert len({str(params) for params in first}) == 4


def test_results_are_rounded_and_importances_need_ten_trials(study: optuna.Study) -> None:
    run(study, 9)
    assert studies.importances(study) == {}
    run(study, 12)
    assert all(len(str(t.chosen["learning_rate"])) < 9 for t in studies.finished_trials(study))
    fractions = studies.importances(study)
    assert set(fractions) == {"dropout", "learning_rate"}
    assert sum(fractions.values()) == pytest.approx(1)


def claim_trials(url: str, name: str, barrier: Barrier) -> None:
    study = load(url)
    barrier.wait(300)
    claimed = 0
    while any(trial.state.name == "WAITING" for trial in study.get_trials(deepcopy=False)):
        trial = study.ask()
        trial.set_user_attr(name, value=True)
        study.tell(trial, 0.5)
        claimed += 1
        if claimed == 1:
            barrier.wait(300)  # no process has claimed all before the other begins


@pytest.mark.slow
def test_two_processes_never_claim_the_same_trial(study: optuna.Study, url: str) -> None:
    for _ in range(QUEUED - 1):
        study.enqueue_trial({"dropout": 0.1})
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [
        context.Process(target=claim_trials, args=(url, name, barrier)) for name in ("one", "two")
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0]
    queued = study.trials[:QUEUED]
    assert all(len(trial.user_attrs) == 1 for trial in queued)
    assert {name for trial in queued for name in trial.user_attrs} == {"one", "two"}
