"""A search for real: killed and gone on with; shared, with its secret kept."""

import json
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd
import psutil
import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.cli import parse
from fmnist.options import Train
from tests.entrypoints.conftest import DATABASE_SECRET, Bench

pytestmark = pytest.mark.slow

SMALL = {
    "epochs": 2, "recipe": "strong", "search": "learning_rate,dropout", "pruner": "none",
}  # fmt: skip


TRIALS = 6


@dataclass
class Searched:
    """A bench, the run of the search, and its trials when it was killed and at the end."""

    bench: Bench
    run: Run
    before: list[optuna.trial.FrozenTrial]
    after: list[optuna.trial.FrozenTrial]


def by_kind(bench: Bench, kind: str) -> list[Run]:
    return [run for run in bench.runs() if run.data.tags.get(names.TAG_KIND) == kind]


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


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, small_data_dir: Path) -> Searched:
    """A search that was killed with two trials ended, then run again to its end."""
    bench = Bench(tmp_path_factory.mktemp("tune"), small_data_dir)
    database = f"sqlite:///{bench.folder}/tune.db"
    bench.environment |= {names.STUDY_STORAGE: database}
    asked = SMALL | {"trials": TRIALS, "seeds": 2, "workers": 2, "ablate": "on", "refit": "all"}
    asked |= {
        "keep": "last",
        "normalize": "off",
        "flip": "off",
        "warmup": 0,
        "ema": 0,
        "translate": 1,
    }
    asked |= {"optimizer": "adam", "schedule": "constant"}
    killed = bench.start(bench.python("tune", **asked))
    bench.wait_for(killed, "trial 1:")
    kill_all(killed)
    [name] = optuna.get_all_study_names(database)
    before = optuna.load_study(study_name=name, storage=database).trials
    done = bench.finish(bench.mlflow("tune", **asked))
    assert done.returncode == 0, done.stdout + done.stderr
    after = optuna.load_study(study_name=name, storage=database).trials
    [run] = [r for r in by_kind(bench, "tune") if names.TAG_CONTINUED_IN not in r.data.tags]
    return Searched(bench, run, before, after)


@pytest.mark.faults
def test_only_the_trials_in_flight_are_tried_again(searched: Searched) -> None:
    before, after = searched.before, searched.after
    ended = {trial.number for trial in before if trial.state.is_finished()}
    assert {0, 1} <= ended
    assert all(after[n].datetime_complete == before[n].datetime_complete for n in ended)
    in_flight = [trial for trial in before if trial.state.name == "RUNNING"]
    assert len(in_flight) <= 2
    states = Counter(trial.state.name for trial in after)
    assert states == Counter({"COMPLETE": TRIALS, "FAIL": len(in_flight)})
    again = [trial.system_attrs.get("failed_trial") for trial in after]
    assert {trial.number for trial in in_flight} <= set(again)


def test_each_trial_is_one_nested_run_and_saw_no_test_row(searched: Searched) -> None:
    bench, run = searched.bench, searched.run
    assert run.info.status == "FINISHED"
    nested = by_kind(bench, "trial")
    assert {r.data.tags["mlflow.parentRunId"] for r in nested} == {run.info.run_id}
    numbers = [int(r.data.params[names.TRIAL]) for r in nested]
    complete = [t.number for t in searched.after if t.state.name == "COMPLETE"]
    assert sorted(numbers) == complete
    for number, each in zip(numbers, nested, strict=True):
        trial = searched.after[number]
        assert each.data.metrics[names.TRIAL_SCORE] == trial.value
        assert each.data.params["dropout"] == str(trial.params["dropout"])
        assert names.TEST_ACCURACY not in each.data.metrics
        history = bench.client.get_metric_history(each.info.run_id, names.VAL_ACCURACY)
        assert [point.step for point in history] == [1, 2]
        assert history[-1].value == pytest.approx(trial.value)
    assert not [r for r in bench.runs() if r.info.status == "RUNNING"]


def test_the_winner_is_a_command_and_was_run(searched: Searched) -> None:
    bench, run = searched.bench, searched.run
    read = best_options(bench, run)
    values = [t.value for t in searched.after if t.state.name == "COMPLETE"]
    assert read[names.TRIAL_SCORE] == max(values)
    pairs = [word.split("=", 1) for word in read["command"].split(" -P ")[1:]]
    winner = parse(Train, [word for name, text in pairs for word in (f"--{name}", text)], "train")
    assert winner.as_text() == read["options"]
    assert winner.validation_fraction == 0
    trained = by_kind(bench, "train")
    same = [r for r in trained if r.data.params["translate"] == "1"]
    same = [r for r in same if r.data.params["dropout"] == read["options"]["dropout"]]
    assert sorted(r.data.params["seed"] for r in same) == ["0", "1"]
    accuracies = [r.data.metrics[names.TEST_ACCURACY] for r in same]
    mean = run.data.metrics[names.TUNE_TEST_ACCURACY_MEAN]
    assert mean == pytest.approx(sum(accuracies) / 2)


def test_what_a_technique_adds_is_told(searched: Searched) -> None:
    bench, run = searched.bench, searched.run
    files = {a.path for a in bench.client.list_artifacts(run.info.run_id, "figures")}
    assert files == {
        names.FIGURE_TUNE_HISTORY, names.FIGURE_TUNE_SLICES, names.FIGURE_TUNE_PARALLEL,
        names.FIGURE_ABLATION,
    }  # fmt: skip
    path = bench.client.download_artifacts(run.info.run_id, names.TABLE_ABLATION)
    table = pd.read_csv(path).set_index("technique")
    still = [r for r in by_kind(bench, "train") if r.data.params["translate"] == "0"]
    assert table.loc["translate", "seeds"] == len(still) == 2
    assert {r.data.tags[names.TAG_ABLATION] for r in still} == {"translate"}
    without = sum(r.data.metrics[names.TEST_ACCURACY] for r in still) / 2
    with_it = run.data.metrics[names.TUNE_TEST_ACCURACY_MEAN]
    assert table.loc["translate", "added"] == pytest.approx(with_it - without)


def test_two_commands_share_a_study_on_postgresql(bench: Bench, database: str) -> None:
    bench.environment |= {names.STUDY_STORAGE: database}
    asked = SMALL | {"trials": TRIALS, "seeds": 1, "workers": 1, "study": "shared", "resume": "off"}
    first = bench.start(bench.python("tune", **asked))
    second = bench.finish(bench.python("tune", **asked))
    assert second.returncode == 0, second.stdout + second.stderr
    assert first.wait(timeout=300) == 0, bench.output.read_text()
    runs, nested = by_kind(bench, "tune"), by_kind(bench, "trial")
    numbers = [int(run.data.params[names.TRIAL]) for run in nested]
    assert len(numbers) == len(set(numbers))
    # Each may have begun a last one before it saw the other's.
    assert TRIALS <= len(numbers) <= TRIALS + 1
    # A command may find that the other was quick and has left nothing to try.
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} <= {r.info.run_id for r in runs}
    assert len(runs) == 2
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
