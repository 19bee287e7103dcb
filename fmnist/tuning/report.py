"""Metrics, tables, figures and description of a search, its winner and the ablations."""

import json
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fmnist import names
from fmnist.options import Train
from fmnist.options.mlproject import command
from fmnist.options.tune import SPACES
from fmnist.plots.formatting import MISSING, format_points, format_points_range
from fmnist.plots.style import to_png
from fmnist.results.steps import FinishedStep
from fmnist.results.tuning import TrialResult, best_trial
from fmnist.system.console import WIDTH
from fmnist.tuning import plots
from fmnist.tuning.ablation import Effect

_SCORE = names.column_name(names.TRIAL_SCORE)


def format_trial(trial: TrialResult, best: TrialResult | None, progress: str) -> str:
    """Describe a finished trial: its score, and the chosen options that are not off or 0.

    Args:
        progress: such as `3 of 50, about 2 min left`.
    """
    score = "no score" if trial.score is None else f"{trial.score:.4f}"
    state = f"pruned at {score}" if trial.pruned else score
    so_far = f", best so far {best.score:.4f}" if best else ""
    seconds = f"{trial.ended - trial.started:.0f} s"
    values = " ".join(f"{k}={v}" for k, v in trial.chosen.items() if v not in ("off", 0))
    first = f"trial {trial.number}: {state}{so_far}, {seconds} ({progress})"
    wrapped = textwrap.fill(
        values, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False
    )
    return f"{first}\n{wrapped}".rstrip()


def compute_metrics(
    trials: Sequence[TrialResult], trainings: Sequence[FinishedStep]
) -> dict[str, float]:
    """Return the metrics of the search and of the winner's trainings."""
    accuracies = test_accuracies(trainings)
    result = {
        names.TUNE_TRIALS: float(len(trials)),
        names.TUNE_PRUNED: float(sum(trial.pruned for trial in trials)),
        names.TUNE_TEST_ACCURACY_MEAN: float(np.mean(accuracies)),
    }
    if len(accuracies) > 1:
        result[names.TUNE_TEST_ACCURACY_STD] = float(np.std(accuracies, ddof=1))
    if best := best_trial(trials):
        result[names.TUNE_BEST_SCORE] = best.score or 0.0
    return result


def test_accuracies(trainings: Sequence[FinishedStep]) -> list[float]:
    """Return the test accuracy of each training."""
    return [training.metrics[names.TEST_ACCURACY] for training in trainings]


def create_search_files(
    trials: Sequence[TrialResult], importances: Mapping[str, float]
) -> dict[str, bytes]:
    """Return the tables and figures of the trials by artifact name; those without data are absent.

    Args:
        importances: fraction of the variance of the score by option; may be empty.
    """
    figures: dict[str, Figure] = {}
    tables: dict[str, pd.DataFrame] = {}
    if trials:
        tables[names.TABLE_TRIALS] = pd.DataFrame(
            [
                {
                    names.TRIAL: trial.number,
                    "state": "pruned" if trial.pruned else "complete",
                    _SCORE: trial.score,
                    "seconds": round(trial.ended - trial.started, 1),
                    "run_id": trial.run_id,
                    **trial.chosen,
                    "why": trial.reason,
                }
                for trial in trials
            ]
        )
    scored = [trial for trial in trials if trial.score is not None]
    if scored:
        figures[names.FIGURE_TUNE_HISTORY] = plots.plot_history(scored)
    complete = [trial for trial in scored if not trial.pruned]
    options = [name for name in SPACES if any(name in trial.chosen for trial in complete)]
    if options:
        values = pd.DataFrame([{n: trial.chosen.get(n) for n in options} for trial in complete])
        scores = np.array([trial.score for trial in complete])
        figures[names.FIGURE_TUNE_SLICES] = plots.plot_slices(values, scores)
        figures[names.FIGURE_TUNE_PARALLEL] = plots.plot_parallel_coordinates(values, scores)
    if importances:
        figures[names.FIGURE_TUNE_IMPORTANCE] = plots.plot_importances(importances)
        tables[names.TABLE_IMPORTANCE] = pd.DataFrame(
            importances.items(), columns=["option", "importance"]
        )
    return _as_files(tables, figures)


def create_winner_files(
    winner: Train,
    best: TrialResult | None,
    trainings: Sequence[FinishedStep],
    effects: Sequence[Effect],
    title: str,
) -> dict[str, bytes]:
    """Return the options and trainings of the winner, and the ablations, by artifact name."""
    options = {
        "command": command("train", winner),
        "options": winner.as_text(),
        "trial": best.number if best else None,
        _SCORE: best.score if best else None,
    }
    seeds = [
        {
            "seed": training.step.options.as_text()["seed"],
            "run_id": training.run_id,
            names.TEST_ACCURACY: training.metrics[names.TEST_ACCURACY],
            names.column_name(names.FIT_SECONDS): training.metrics[names.FIT_SECONDS],
        }
        for training in trainings
    ]
    figures: dict[str, Figure] = {}
    tables = {names.TABLE_WINNER: pd.DataFrame(seeds)}
    if effects:
        figures[names.FIGURE_ABLATION] = plots.plot_effects(effects, title)
        tables[names.TABLE_ABLATION] = pd.DataFrame(
            [
                {
                    "technique": effect.technique,
                    "value": effect.value,
                    "without": effect.without,
                    "added": effect.mean,
                    "added_low": effect.interval[0] if effect.interval else None,
                    "added_high": effect.interval[1] if effect.interval else None,
                    "test_accuracy_without": float(np.mean(effect.accuracies_without)),
                    "seeds": len(effect.accuracies_without),
                }
                for effect in _largest_first(effects)
            ]
        )
    return _as_files(tables, figures) | {
        names.TABLE_BEST_OPTIONS: json.dumps(options, indent=2).encode()
    }


def describe_run(
    title: str,
    winner: Train,
    trials: Sequence[TrialResult],
    trainings: Sequence[FinishedStep],
    effects: Sequence[Effect],
) -> str:
    """Describe the winner, its accuracy and the ablations in Markdown."""
    values = compute_metrics(trials, trainings)
    std = values.get(names.TUNE_TEST_ACCURACY_STD)
    spread = "" if std is None else f" ± {100 * std:.2f}"
    seconds = np.mean([training.metrics[names.FIT_SECONDS] for training in trainings])
    text = (
        f"**{title}: test accuracy {100 * values[names.TUNE_TEST_ACCURACY_MEAN]:.2f}{spread} %** "
        f"(mean ± standard deviation of {len(trainings)} seeds, {seconds:.0f} s of training each)."
    )
    if best := best_trial(trials):
        text += (
            f" The best of {len(trials)} trials ({values[names.TUNE_PRUNED]:.0f} pruned) was trial "
            f"{best.number} with a validation accuracy of {best.score:.4f}. Test rows were not "
            "used to select it."
        )
    text += f"\n\n    {command('train', winner)}\n"
    if effects:
        text += "\n| technique | adds, points | 95 % interval |\n| --- | --- | --- |\n"
    for effect in _largest_first(effects):
        interval = format_points_range(*effect.interval) if effect.interval else MISSING
        added = format_points(effect.mean)
        text += f"| {effect.technique}={effect.value} | {added} | {interval} |\n"
    return text


def _largest_first(effects: Sequence[Effect]) -> list[Effect]:
    return sorted(effects, key=lambda effect: -effect.mean)


def _as_files(
    tables: Mapping[str, pd.DataFrame], figures: Mapping[str, Figure]
) -> dict[str, bytes]:
    csv = {name: table.to_csv(index=False).encode() for name, table in tables.items()}
    return csv | {name: to_png(figure) for name, figure in figures.items()}
