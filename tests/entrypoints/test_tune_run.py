"""What a run of `tune` contains; a search that was killed, and one that two commands share."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable
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
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.servers import DATABASE_PASSWORD
from tests.helpers.stores import create_store
from tests.helpers.workspace import TIMEOUT_SECONDS, Workspace

TRIALS = 4
SMALL = {
    "epochs": 2, "recipe": "strong", "search": "learning_rate,dropout", "pruner": "none",
    "trials": TRIALS,
}  # fmt: skip
# The only technique that the ablation can leave out is `translate`.
ONE_TECHNIQUE = {
    "keep": "last", "normalize": "off", "flip": "off", "warmup": 0, "ema": 0, "translate": 1,
    "optimizer": "adam", "schedule": "constant",
}  # fmt: skip


@dataclass
class ResumedSearch:
    """A finished search, with its trials when it was killed and at the end."""

    workspace: Workspace
    run: Run
    before: list[optuna.trial.FrozenTrial]
    after: list[optuna.trial.FrozenTrial]


def best_options(workspace: Workspace, run: Run) -> dict:
    path = workspace.client.download_artifacts(run.info.run_id, names.TABLE_BEST_OPTIONS)
    options: dict = json.loads(Path(path).read_text())
    return options


def kill_parent(process: "subprocess.Popen[bytes]") -> None:
    """Kill the command alone, with SIGKILL; its workers have to notice by themselves."""
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=TIMEOUT_SECONDS)
    assert alive == []


@pytest.fixture(scope="module")
def search(
    tmp_path_factory: pytest.TempPathFactory,
    small_data_dir: Path,
) -> ResumedSearch:
    """A search that was killed after its first trials, then run again to its end."""
    workspace = Workspace(tmp_path_factory.mktemp("tune"), small_data_dir)
    create_store(workspace.folder / "mlflow.db")
    database = f"sqlite:///{workspace.folder}/tune.db"
    workspace.environment |= {names.STUDY_STORAGE: database}
    options = SMALL | ONE_TECHNIQUE | {"seeds": 2, "workers": 2, "ablate": "on", "refit": "all"}
    killed = workspace.start(workspace.script("tune", **options))
    workspace.wait_for_output(killed, "trial 1:")
    kill_parent(killed)
    [name] = optuna.get_all_study_names(database)
    before = optuna.load_study(study_name=name, storage=database).trials
    done = workspace.execute(workspace.project("tune", **options))
    assert done.returncode == 0, done.stdout + done.stderr
    after = optuna.load_study(study_name=name, storage=database).trials
    [run] = [r for r in workspace.runs("tune") if names.TAG_CONTINUED_IN not in r.data.tags]
    return ResumedSearch(workspace, run, before, after)


def test_run_contains_trials_and_the_trained_winner(project_runs: ProjectRuns) -> None:
    tune_run = project_runs.get("tune")
    workspace, run, _ = tune_run
    children = workspace.children(run)
    kinds = Counter(child.data.tags[names.TAG_KIND] for child in children)
    assert kinds == {"trial": 2, "train": 1}
    [winner] = [child for child in children if child.data.tags[names.TAG_KIND] == "train"]
    names_of_children = {child.info.run_name for child in children}
    assert names_of_children == {"trial 0", "trial 1", "winner seed 0"}
    best = json.loads(tune_run.artifacts()[names.TABLE_BEST_OPTIONS])
    assert winner.data.params["dropout"] == best["options"]["dropout"]
    accuracy = winner.data.metrics[names.TEST_ACCURACY]
    assert tune_run.metrics[names.TUNE_TEST_ACCURACY_MEAN] == pytest.approx(accuracy)


@pytest.mark.slow
@pytest.mark.faults
def test_only_unfinished_trials_are_repeated(search: ResumedSearch) -> None:
    before, after = search.before, search.after
    ended = {trial.number for trial in before if trial.state.is_finished()}
    assert 1 in ended
    assert all(after[n].datetime_complete == before[n].datetime_complete for n in ended)
    in_flight = [trial for trial in before if trial.state.name == "RUNNING"]
    assert len(in_flight) <= 2
    states = Counter(trial.state.name for trial in after)
    assert states.keys() <= {"COMPLETE", "FAIL"}
    assert states["COMPLETE"] == TRIALS
    again = [trial.system_attrs.get("failed_trial") for trial in after]
    assert {trial.number for trial in in_flight} <= set(again)


@pytest.mark.slow
def test_each_trial_is_a_nested_run_without_test_metrics(search: ResumedSearch) -> None:
    workspace, run = search.workspace, search.run
    assert run.info.status == "FINISHED"
    nested = workspace.runs("trial")
    assert {r.data.tags["mlflow.parentRunId"] for r in nested} == {run.info.run_id}
    numbers = [int(r.data.params[names.TRIAL]) for r in nested]
    complete = [t.number for t in search.after if t.state.name == "COMPLETE"]
    assert sorted(numbers) == complete
    for number, each in zip(numbers, nested, strict=True):
        trial = search.after[number]
        assert each.data.metrics[names.TRIAL_SCORE] == pytest.approx(trial.value)
        assert each.data.params["dropout"] == str(trial.params["dropout"])
        assert names.TEST_ACCURACY not in each.data.metrics
        history = workspace.client.get_metric_history(each.info.run_id, names.VAL_ACCURACY)
        assert [point.step for point in history] == [1, 2]
        assert history[-1].value == pytest.approx(trial.value)
    assert not [r for r in workspace.runs() if r.info.status == "RUNNING"]


@pytest.mark.slow
def test_best_options_are_a_command_and_were_trained(search: ResumedSearch) -> None:
    workspace, run = search.workspace, search.run
    best = best_options(workspace, run)
    values = [t.value for t in search.after if t.state.name == "COMPLETE"]
    assert best[names.column_name(names.TRIAL_SCORE)] == max(values)
    pairs = [word.split("=", 1) for word in best["command"].split(" -P ")[1:]]
    winner = parse(Train, [word for name, text in pairs for word in (f"--{name}", text)], "train")
    assert winner.as_text() == best["options"]
    assert winner.validation_fraction == 0
    trained = workspace.runs("train")
    same = [r for r in trained if r.data.params["translate"] == "1"]
    same = [r for r in same if r.data.params["dropout"] == best["options"]["dropout"]]
    assert sorted(r.data.params["seed"] for r in same) == ["0", "1"]
    accuracies = [r.data.metrics[names.TEST_ACCURACY] for r in same]
    mean = run.data.metrics[names.TUNE_TEST_ACCURACY_MEAN]
    assert mean == pytest.approx(sum(accuracies) / 2)


@pytest.mark.slow
def test_ablation_compares_runs_with_and_without_a_technique(search: ResumedSearch) -> None:
    workspace, run = search.workspace, search.run
    files = {a.path for a in workspace.client.list_artifacts(run.info.run_id, "figures")}
    assert files == {
        names.FIGURE_TUNE_HISTORY, names.FIGURE_TUNE_SLICES, names.FIGURE_TUNE_PARALLEL,
        names.FIGURE_ABLATION,
    }  # fmt: skip
    path = workspace.client.download_artifacts(run.info.run_id, names.TABLE_ABLATION)
    table = pd.read_csv(path).set_index("technique")
    without_it = [r for r in workspace.runs("train") if r.data.params["translate"] == "0"]
    assert table.loc["translate", "seeds"] == len(without_it) == 2
    assert {r.data.tags[names.TAG_ABLATION] for r in without_it} == {"translate"}
    without = sum(r.data.metrics[names.TEST_ACCURACY] for r in without_it) / 2
    with_it = run.data.metrics[names.TUNE_TEST_ACCURACY_MEAN]
    assert table.loc["translate", "added"] == pytest.approx(with_it - without)


@pytest.mark.slow
def test_two_commands_share_a_study_on_postgresql(workspace: Workspace, database: str) -> None:
    workspace.environment |= {names.STUDY_STORAGE: database}
    options = SMALL | {"seeds": 1, "workers": 1, "study": "shared", "resume": "off"}
    first = workspace.start(workspace.script("tune", **options))
    second = workspace.execute(workspace.script("tune", **options))
    assert second.returncode == 0, second.stdout + second.stderr
    assert first.wait(timeout=TIMEOUT_SECONDS) == 0, workspace.output.read_text()
    runs, nested = workspace.runs("tune"), workspace.runs("trial")
    numbers = [int(run.data.params[names.TRIAL]) for run in nested]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) == TRIALS
    # The slower command may have found no trial left.
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} <= {r.info.run_id for r in runs}
    assert len(runs) == 2
    winners = {best_options(workspace, run)["command"] for run in runs}
    assert len(winners) == 1
    everything = workspace.output.read_text() + second.stdout + second.stderr
    everything += str([(run.data.params, run.data.tags) for run in workspace.runs()])
    assert DATABASE_PASSWORD not in everything


def test_password_in_the_options_is_rejected_and_not_shown(
    workspace: Workspace, call: Callable
) -> None:
    done = call("tune", storage="postgresql://me:hush@nowhere/db")
    assert done.code == 2
    assert "hush" not in done.stderr
    assert names.STUDY_STORAGE in done.stderr
    assert workspace.runs() == []
