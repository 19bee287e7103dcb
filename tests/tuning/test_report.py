"""What is told of a search, with trials and without, with one seed and with several."""

import json

import pytest

from fmnist import names
from fmnist.options import Train
from fmnist.results.steps import FinishedStep, Step
from fmnist.results.tuning import TrialResult, best
from fmnist.tuning import report
from fmnist.tuning.ablation import Effect

WINNER = Train(recipe="strong", dropout=0.2)


def trial(
    number: int, score: float | None, *, pruned: bool = False, dropout: float = 0.1
) -> TrialResult:
    chosen = {"dropout": dropout, "learning_rate": 0.003}
    return TrialResult(number, chosen, score, pruned, "", None, 10.0, 14.0, "run")


def trained(seed: int, accuracy: float) -> FinishedStep:
    step = Step(f"winner, seed {seed}", "train", WINNER.model_copy(update={"seed": seed}))
    metrics = {names.TEST_ACCURACY: accuracy, names.FIT_SECONDS: 40.0 + seed}
    return FinishedStep(step, f"run {seed}", metrics, "", "", 50.0, was_skipped=False)


TRIALS = (trial(0, 0.88), trial(1, 0.95, pruned=True), trial(2, 0.9, dropout=0.2), trial(3, None))
DONE = (trained(0, 0.90), trained(1, 0.92))


def test_the_best_is_one_that_came_to_its_end() -> None:
    top = best(TRIALS)
    assert top is not None
    assert top.number == 2
    assert best((trial(0, 0.9, pruned=True),)) is None
    assert best((trial(4, 0.9), trial(5, 0.9))) == trial(4, 0.9)


def test_numbers_of_a_search() -> None:
    told = report.search_metrics(TRIALS)
    assert told == {
        names.TUNE_TRIALS: 4, names.TUNE_PRUNED: 1, names.TUNE_BEST_SCORE: 0.9,
    }  # fmt: skip
    assert names.TUNE_BEST_SCORE not in report.search_metrics(())
    winner = report.winner_metrics(DONE)
    assert winner[names.TUNE_TEST_ACCURACY_MEAN] == pytest.approx(0.91)
    assert winner[names.TUNE_TEST_ACCURACY_STD] == pytest.approx(0.0002**0.5)
    assert names.TUNE_TEST_ACCURACY_STD not in report.winner_metrics(DONE[:1])


def test_files_are_those_there_is_something_for() -> None:
    assert report.search_files((), {}) == {}
    given_up = report.search_files((trial(0, 0.5, pruned=True),), {})
    assert given_up.keys() == {names.TABLE_TRIALS, names.FIGURE_TUNE_HISTORY}
    assert report.search_files(TRIALS, {"dropout": 1.0}).keys() == {
        names.TABLE_TRIALS, names.TABLE_IMPORTANCE, names.FIGURE_TUNE_HISTORY,
        names.FIGURE_TUNE_SLICES, names.FIGURE_TUNE_PARALLEL, names.FIGURE_TUNE_IMPORTANCE,
    }  # fmt: skip


def test_the_winner_is_told_with_its_command() -> None:
    files = report.winner_files(WINNER, best(TRIALS), DONE, (), "LeNet")
    told = json.loads(files[names.TABLE_BEST_OPTIONS])
    assert told["command"].endswith("-e train --env-manager local -P dropout=0.2 -P recipe=strong")
    assert (told["trial"], told[names.TRIAL_SCORE]) == (2, 0.9)
    assert names.TABLE_ABLATION not in files


def test_the_note_says_what_it_rests_on() -> None:
    effects = (
        Effect("flip", "on", "off", (0.90, 0.92), (0.91, 0.92)),
        Effect("ema", "0.999", "0.0", (0.90, 0.92), (0.88, 0.91)),
    )
    note = report.note("LeNet", WINNER, TRIALS, DONE, effects)
    assert "**LeNet: test accuracy 91.00 ± 1.41 %**" in note
    assert "of 2 seeds, 40 s of training each" in note
    assert "best of 4 trials (1 given up early) was trial 2, 0.9000 on validation rows" in note
    lines = [line for line in note.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines] == [
        "| technique",
        "| ---",
        "| ema=0.999",
        "| flip=on",
    ]
    assert "trials" not in report.note("LeNet", WINNER, (), DONE[:1], ())
