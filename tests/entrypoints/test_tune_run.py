"""A search for real: killed and gone on with; shared, with its secret kept."""

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path

import optuna
import psutil
import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.options import Train
from fmnist.options.command_line import parse
from tests.entrypoints.conftest import DATABASE_SECRET, Bench

SMALL = {
    "epochs": 2, "recipe": "strong", "search": "learning_rate,dropout,shift", "pruner": "none",
}  # fmt: skip


def by_kind(bench: Bench, kind: str) -> list[Run]:
    return [run for run in bench.runs() if run.data.tags[names.TAG_KIND] == kind]


def best_options(bench: Bench, run: Run) -> dict:
    path = bench.client.download_artifacts(run.info.run_id, names.TABLE_BEST_OPTIONS)
    found: dict = json.loads(Path(path).read_text())
    return found


def kill_all(process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL to the command alone; its workers have to notice by themselves."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive


def test_a_killed_search_goes_on_and_its_winner_is_trained(bench: Bench) -> None:
    trials = 6
    database = f"sqlite:///{bench.folder}/tune.db"
    bench.environment |= {names.STUDY_STORAGE: database}
    asked = SMALL | {"trials": trials, "seeds": 2, "workers": 2, "ablate": "on"}
    asked |= {"keep": "last", "refit": "all", "normalise": "off", "warmup": 0, "ema": 0}
    asked |= {"optimiser": "adam", "schedule": "constant", "shift": "recipe"}
    killed = bench.start(bench.python("tune", **asked))
    bench.wait_for(killed, "trial 1:")
    kill_all(killed)
    [name] = optuna.get_all_study_names(database)
    before = optuna.load_study(study_name=name, storage=database).trials
    ended = {trial.number for trial in before if trial.state.is_finished()}
    assert {0, 1} <= ended

    done = bench.finish(bench.mlflow("tune", **asked))
    assert done.returncode == 0, done.stdout + done.stderr
    study = optuna.load_study(study_name=name, storage=database)
    states = Counter(trial.state.name for trial in study.trials)
    in_flight = len(before) - len(ended)
    assert in_flight <= 2
    assert states == Counter(COMPLETE=trials, FAIL=in_flight) - Counter()
    assert all(study.trials[n].datetime_start == before[n].datetime_start for n in ended)

    run = next(r for r in by_kind(bench, "tune") if names.TAG_CONTINUED_IN not in r.data.tags)
    assert run.info.status == "FINISHED"
    nested = by_kind(bench, "trial")
    assert {r.data.tags["mlflow.parentRunId"] for r in nested} == {run.info.run_id}
    numbers = [int(r.data.params[names.TRIAL]) for r in nested]
    complete = [t for t in study.trials if t.state.name == "COMPLETE"]
    assert sorted(numbers) == sorted(t.number for t in complete)
    for each in nested:
        trial = study.trials[int(each.data.params[names.TRIAL])]
        assert each.data.metrics[names.TRIAL_SCORE] == trial.value
        assert names.TEST_ACCURACY not in each.data.metrics
        history = bench.client.get_metric_history(each.info.run_id, names.VAL_ACCURACY)
        assert [point.step for point in history] == [1, 2]
        assert history[-1].value == trial.value

    read = best_options(bench, run)
    assert read["trial_score"] == max(t.value for t in complete)
    words = read["command"].split(" -P ")[1:]
    pairs = [word.split("=", 1) for word in words]
    winner = parse(Train, [word for name, text in pairs for word in (f"--{name}", text)], "train")
    assert winner.as_text() == read["options"]
    assert winner.validation_fraction == 0
    trained = by_kind(bench, "train")
    same = [r for r in trained if r.data.params["flip"] == "recipe"]
    assert sorted(r.data.params["seed"] for r in same) == ["0", "1"]
    accuracies = [r.data.metrics[names.TEST_ACCURACY] for r in same]
    mean = run.data.metrics[names.TUNE_TEST_ACCURACY_MEAN]
    assert mean == pytest.approx(sum(accuracies) / 2)
    assert [r.data.params["seed"] for r in trained if r.data.params["flip"] == "off"] != []
    kept = {a.path for a in bench.client.list_artifacts(run.info.run_id, "figures")}
    assert kept == {
        names.FIGURE_TUNE_HISTORY, names.FIGURE_TUNE_SLICES, names.FIGURE_TUNE_PARALLEL,
        names.FIGURE_ABLATION,
    }  # fmt: skip
    assert not [r for r in bench.runs() if r.info.status == "RUNNING"]


def test_two_commands_share_a_study_on_postgresql(bench: Bench, database: str) -> None:
    trials = 6
    bench.environment |= {names.STUDY_STORAGE: database}
    asked = SMALL | {"trials": trials, "seeds": 1, "workers": 1, "study": "shared", "resume": "off"}
    first = bench.start(bench.python("tune", **asked))
    bench.wait_for(first, "trial 0:")
    second = bench.finish(bench.python("tune", **asked))
    assert second.returncode == 0, second.stdout + second.stderr
    assert first.wait(timeout=300) == 0, bench.output.read_text()
    runs, nested = by_kind(bench, "tune"), by_kind(bench, "trial")
    numbers = [int(run.data.params[names.TRIAL]) for run in nested]
    assert len(numbers) == len(set(numbers))
    # Each may have begun a last one before it saw the other's.
    assert trials <= len(numbers) <= trials + 1
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} == {r.info.run_id for r in runs}
    winners = {best_options(bench, run)["command"] for run in runs}
    assert len(winners) == 1
    everything = bench.output.read_text() + second.stdout + second.stderr
    everything += str([(run.data.params, run.data.tags) for run in bench.runs()])
    assert DATABASE_SECRET not in everything


def test_bad_input_costs_nothing(bench: Bench) -> None:
    done = bench.finish(bench.python("tune", storage="postgresql://me:hush@nowhere/db"))
    assert done.returncode == 2
    assert "hush" not in done.stderr
    assert names.STUDY_STORAGE in done.stderr
    assert not (bench.folder / "mlflow.db").exists()
