"""What a run of `tune` contains; a search that was killed, and one that two commands share."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import optuna
import psutil
import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.cli import parse
from fmnist.options import Train
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.servers import DATABASE_PASSWORD
from tests.helpers.stores import create_store
from tests.helpers.workspace import Workspace, read_table, wait_until_ended

TRIALS = 4
SMALL = {
    "epochs": 2, "recipe": "strong", "search": "learning_rate,batch_size", "pruner": "none",
    "trials": TRIALS, "train_size": 300,
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
    files: dict[str, bytes]
    before: list[optuna.trial.FrozenTrial]
    after: list[optuna.trial.FrozenTrial]

    def test_accuracies(self, **params: str) -> list[float]:
        """Those of the trainings with these parameters, one per seed."""
        runs = [
            run for run in self.workspace.runs("train") if params.items() <= run.data.params.items()
        ]
        assert sorted(run.data.params["seed"] for run in runs) == ["0", "1"]
        return [run.data.metrics[names.TEST_ACCURACY] for run in runs]


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory, small_data_dir: Path) -> ResumedSearch:
    """A search that was killed after its first trials, then run again to its end."""
    workspace = Workspace(tmp_path_factory.mktemp("tune"), small_data_dir)
    create_store(workspace.folder / "mlflow.db")
    database = f"sqlite:///{workspace.folder}/tune.db"
    workspace.environment |= {names.STUDY_STORAGE: database}
    options = SMALL | ONE_TECHNIQUE | {"seeds": 2, "workers": 2, "ablate": "on", "refit": "all"}
    # Kill the command alone, with SIGKILL; its workers have to notice by themselves.
    killed = workspace.start(workspace.script("tune", **options))
    workspace.wait_for_output(killed, "trial 1:")
    workers = psutil.Process(killed.pid).children(recursive=True)
    killed.kill()
    killed.wait()
    wait_until_ended(workers)
    [name] = optuna.get_all_study_names(database)
    before = optuna.load_study(study_name=name, storage=database).trials
    workspace.execute(workspace.script("tune", **options))
    after = optuna.load_study(study_name=name, storage=database).trials
    [run] = workspace.runs("tune")
    return ResumedSearch(workspace, run, workspace.artifacts(run), before, after)


def test_run_contains_trials_and_the_trained_winner(project_runs: ProjectRuns) -> None:
    tune_run = project_runs.get("tune")
    workspace, run, _ = tune_run
    children = {child.info.run_name: child for child in workspace.children(run)}
    kinds = {name: child.data.tags[names.TAG_KIND] for name, child in children.items()}
    assert kinds == {"trial 0": "trial", "trial 1": "trial", "winner seed 0": "train"}
    winner = children["winner seed 0"]
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
        assert each.data.params["batch_size"] == str(trial.params["batch_size"])
        assert names.TEST_ACCURACY not in each.data.metrics
        history = workspace.client.get_metric_history(each.info.run_id, names.VAL_ACCURACY)
        assert [point.step for point in history] == [1, 2]
        assert history[-1].value == pytest.approx(trial.value)
    assert not [r for r in workspace.runs() if r.info.status == "RUNNING"]


@pytest.mark.slow
def test_best_options_were_trained_with_and_without_a_technique(search: ResumedSearch) -> None:
    best = json.loads(search.files[names.TABLE_BEST_OPTIONS])
    values = [t.value for t in search.after if t.state.name == "COMPLETE"]
    assert best[names.column_name(names.TRIAL_SCORE)] == max(values)
    pairs = [word.split("=", 1) for word in best["command"].split(" -P ")[1:]]
    winner = parse(Train, [word for name, text in pairs for word in (f"--{name}", text)], "train")
    assert winner.as_text() == best["options"]
    assert winner.validation_fraction == 0

    with_it = search.test_accuracies(translate="1", batch_size=best["options"]["batch_size"])
    mean = search.run.data.metrics[names.TUNE_TEST_ACCURACY_MEAN]
    assert mean == pytest.approx(sum(with_it) / 2)
    ablated = [r for r in search.workspace.runs("train") if names.TAG_ABLATION in r.data.tags]
    assert {r.data.tags[names.TAG_ABLATION] for r in ablated} == {"translate"}
    without_it = search.test_accuracies(translate="0")
    row = read_table(search.files, names.TABLE_ABLATION).set_index("technique").loc["translate"]
    assert row["seeds"] == len(ablated) == 2
    assert row["added"] == pytest.approx(mean - sum(without_it) / 2)
    assert {name for name in search.files if name.startswith("figures/")} == {
        names.FIGURE_TUNE_HISTORY, names.FIGURE_TUNE_SLICES, names.FIGURE_TUNE_PARALLEL,
        names.FIGURE_ABLATION,
    }  # fmt: skip


@pytest.mark.slow
def test_two_commands_share_a_study_on_postgresql(workspace: Workspace, database: str) -> None:
    workspace.environment |= {names.STUDY_STORAGE: database}
    options = SMALL | {"seeds": 1, "workers": 1, "study": "shared", "resume": "off"}
    first = workspace.start(workspace.script("tune", **options))
    second = workspace.execute(workspace.script("tune", **options))
    printed = workspace.wait(first) + second.stdout + second.stderr
    runs, nested = workspace.runs("tune"), workspace.runs("trial")
    numbers = [int(run.data.params[names.TRIAL]) for run in nested]
    assert len(numbers) == len(set(numbers)) == TRIALS
    # The slower command may have found no trial left.
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} <= {r.info.run_id for r in runs}
    assert len(runs) == 2
    best = [json.loads(workspace.artifacts(run)[names.TABLE_BEST_OPTIONS]) for run in runs]
    assert best[0]["command"] == best[1]["command"]
    stored = str([(run.data.params, run.data.tags) for run in workspace.runs()])
    assert DATABASE_PASSWORD not in printed + stored
