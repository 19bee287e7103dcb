"""Metrics, files and description of a search, with and without trials, and for several seeds."""

import json

import pytest

from fmnist import names
from fmnist.options import Train
from fmnist.results.steps import FinishedStep, Step
from fmnist.results.tuning import TrialResult, best_trial
from fmnist.tuning import report
from fmnist.tuning.ablation import Effect

WINNER = Train(recipe="strong", dropout=0.2)


def trial(
    number: int, score: float | None, *, pruned: bool = False, dropout: float = 0.1
) -> TrialResult:
    chosen = {"dropout": dropout, "learning_rate": 0.003}
    return TrialResult(number, chosen, score, pruned, "", None, 10.0, 14.0, "run")


def training(seed: int, accuracy: float) -> FinishedStep:
    step = Step(f"winner, seed {seed}", "train", WINNER.model_copy(update={"seed": seed}))
    metrics = {names.TEST_ACCURACY: accuracy, names.FIT_SECONDS: 40.0 + seed}
    return FinishedStep(step, f"run {seed}", metrics, "", "", 50.0, was_skipped=False)


TRIALS = (
    trial(0, 0.88),
    trial(1, 0.95, pruned=True),
    trial(2, 0.9, dropout=0.2),
    trial(3, None, pruned=True),
)
TRAININGS = (training(0, 0.90), training(1, 0.92))
EFFECTS = (
    Effect("flip", "on", "off", (0.90, 0.92), (0.91, 0.92)),
    Effect("ema", "0.999", "0.0", (0.90, 0.92), (0.88, 0.91)),
)


def test_best_trial_is_complete_and_the_first_of_equals() -> None:
    assert best_trial(TRIALS) == TRIALS[2]
    assert best_trial((trial(0, 0.9, pruned=True),)) is None
    assert best_trial((trial(4, 0.9), trial(5, 0.9))) == trial(4, 0.9)


def test_metrics_of_search_and_winner() -> None:
    assert report.compute_metrics(TRIALS, TRAININGS) == pytest.approx(
        {
            names.TUNE_TRIALS: 4, names.TUNE_PRUNED: 2, names.TUNE_BEST_SCORE: 0.9,
            names.TUNE_TEST_ACCURACY_MEAN: 0.91, names.TUNE_TEST_ACCURACY_STD: 0.0002**0.5,
        }
    )  # fmt: skip
    without_trials = report.compute_metrics((), TRAININGS[:1])
    assert names.TUNE_BEST_SCORE not in without_trials
    assert names.TUNE_TEST_ACCURACY_STD not in without_trials


def test_files_without_data_are_absent() -> None:
    assert report.create_search_files((), {}) == {}
    pruned = report.create_search_files((trial(0, 0.5, pruned=True),), {})
    assert pruned.keys() == {names.TABLE_TRIALS, names.FIGURE_TUNE_HISTORY}
    assert report.create_search_files((trial(3, None, pruned=True),), {}).keys() == {
        names.TABLE_TRIALS
    }
    assert report.create_search_files(TRIALS, {"dropout": 1.0}).keys() == {
        names.TABLE_TRIALS, names.TABLE_IMPORTANCE, names.FIGURE_TUNE_HISTORY,
        names.FIGURE_TUNE_SLICES, names.FIGURE_TUNE_PARALLEL, names.FIGURE_TUNE_IMPORTANCE,
    }  # fmt: skip


def test_winner_has_its_command_and_ablations() -> None:
    files = report.create_winner_files(WINNER, best_trial(TRIALS), TRAININGS, (), "LeNet")
    options = json.loads(files[names.TABLE_BEST_OPTIONS])
    assert options["command"].endswith("-P dropout=0.2 -P recipe=strong")
    assert (options["trial"], options["trial_score"]) == (2, 0.9)
    assert names.TABLE_ABLATION not in files
    ablated = report.create_winner_files(WINNER, None, TRAININGS, EFFECTS, "LeNet")
    table = ablated[names.TABLE_ABLATION].decode().splitlines()
    assert [row.split(",")[0] for row in table] == ["technique", "ema", "flip"]
    assert ablated[names.FIGURE_ABLATION].startswith(b"\x89PNG")


def test_message_of_a_trial() -> None:
    pruned = report.format_trial(TRIALS[1], TRIALS[2], "2 of 4").splitlines()
    assert pruned[0] == "trial 1: pruned at 0.9500, best so far 0.9000, 4 s (2 of 4)"
    assert pruned[1].startswith("  dropout=0.1")
    assert max(map(len, pruned)) < 80
    no_score = report.format_trial(TRIALS[3], None, "4 of 4")
    assert no_score.startswith("trial 3: pruned at no score, 4 s (4 of 4)")


def test_description_states_accuracy_trials_and_effects() -> None:
    text = report.describe_run("LeNet", WINNER, TRIALS, TRAININGS, EFFECTS)
    assert "**LeNet: test accuracy 91.00 ± 1.41 %**" in text
    assert "2 seeds, 40 s of training each" in text
    assert "best of 4 trials (2 pruned) was trial 2" in text
    rows = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| ")]
    assert rows == ["| technique", "| ---", "| ema=0.999", "| flip=on"]
    assert "trials" not in report.describe_run("LeNet", WINNER, (), TRAININGS[:1], ())
