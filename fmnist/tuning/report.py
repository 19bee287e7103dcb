"""A search as others see it: figures and tables, the winner and its command, a few sentences."""

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fmnist import names
from fmnist.options import Train
from fmnist.options.mlproject import command
from fmnist.options.tune import SPACES, Float
from fmnist.plots.formatting import format_points, format_points_range
from fmnist.plots.style import to_png
from fmnist.results.steps import FinishedStep
from fmnist.results.tuning import TrialResult, best
from fmnist.tuning import plots as figures
from fmnist.tuning.ablation import Effect
from fmnist.tuning.plots_ablation import effects as effects_figure

_SCORE = names.TRIAL_SCORE
_LOG = tuple(n for n, space in SPACES.items() if isinstance(space, Float) and space.log)


def told(trial: TrialResult, so_far: float | None) -> str:
    """One line for a log."""
    chosen = " ".join(f"{name}={_short(value)}" for name, value in trial.chosen.items())
    score = "no score" if trial.score is None else f"{trial.score:.4f}"
    state = f"given up at {score}" if trial.pruned else score
    top = "" if so_far is None else f", best so far {so_far:.4f}"
    return f"trial {trial.number}: {state}{top} ({trial.ended - trial.started:.0f} s; {chosen})"


def search_metrics(trials: Sequence[TrialResult]) -> dict[str, float]:
    """What a search has once."""
    found = {
        names.TUNE_TRIALS: float(len(trials)),
        names.TUNE_PRUNED: float(sum(trial.pruned for trial in trials)),
    }
    top = best(tuple(trials))
    return found | ({names.TUNE_BEST_SCORE: top.score or 0.0} if top else {})


def winner_metrics(done: Sequence[FinishedStep]) -> dict[str, float]:
    """The winner on the test rows, a seed after the other."""
    accuracies = test_accuracies(done)
    found = {names.TUNE_TEST_ACCURACY_MEAN: float(np.mean(accuracies))}
    if len(accuracies) > 1:
        found[names.TUNE_TEST_ACCURACY_STD] = float(np.std(accuracies, ddof=1))
    return found


def test_accuracies(done: Sequence[FinishedStep]) -> list[float]:
    """The test accuracy of each training."""
    return [one.metrics[names.TEST_ACCURACY] for one in done]


def search_files(
    trials: Sequence[TrialResult], importances: Mapping[str, float]
) -> dict[str, bytes]:
    """Figures and tables of the trials, by artifact name; nothing where there were none."""
    if not trials:
        return {}
    table = pd.DataFrame(
        [
            {
                names.TRIAL: trial.number,
                "state": "pruned" if trial.pruned else "complete",
                _SCORE: trial.score,
                "seconds": round(trial.ended - trial.started, 1),
                "run_id": trial.run_id,
                **trial.chosen,
                "why": trial.why,
            }
            for trial in trials
        ]
    )
    scored = [trial for trial in trials if trial.score is not None]
    drawn = {}
    if scored:
        drawn[names.FIGURE_TUNE_HISTORY] = figures.history(
            [trial.number for trial in scored],
            [trial.score or 0.0 for trial in scored],
            [trial.pruned for trial in scored],
        )
    whole = [trial for trial in scored if not trial.pruned]
    if whole and whole[0].chosen:
        options = [name for name in SPACES if any(name in trial.chosen for trial in whole)]
        wide = pd.DataFrame(
            [{_SCORE: t.score, **{name: t.chosen.get(name) for name in options}} for t in whole]
        )
        drawn[names.FIGURE_TUNE_SLICES] = figures.slices(wide, _SCORE, _LOG)
        drawn[names.FIGURE_TUNE_PARALLEL] = figures.parallel(wide, _SCORE, _LOG)
    files = {names.TABLE_TRIALS: table.to_csv(index=False).encode()}
    if importances:
        drawn[names.FIGURE_TUNE_IMPORTANCE] = figures.importance(importances)
        shares = pd.DataFrame(importances.items(), columns=["option", "importance"])
        files[names.TABLE_IMPORTANCE] = shares.to_csv(index=False).encode()
    return files | {name: to_png(figure) for name, figure in drawn.items()}


def winner_files(
    winner: Train,
    top: TrialResult | None,
    done: Sequence[FinishedStep],
    effects: Sequence[Effect],
    title: str,
) -> dict[str, bytes]:
    """The winner as options and as a command, its trainings, and what its techniques add."""
    best_options = {
        "command": command("train", winner),
        "options": winner.as_text(),
        "trial": top.number if top else None,
        _SCORE: top.score if top else None,
    }
    trained = pd.DataFrame(
        [
            {
                "seed": one.step.options.as_text()["seed"],
                "run_id": one.run_id,
                **{name: one.metrics[name] for name in (names.TEST_ACCURACY, names.FIT_SECONDS)},
            }
            for one in done
        ]
    )
    files = {
        names.TABLE_BEST_OPTIONS: json.dumps(best_options, indent=2).encode(),
        names.TABLE_WINNER: trained.to_csv(index=False).encode(),
    }
    if not effects:
        return files
    table = pd.DataFrame(
        [
            {
                "technique": effect.technique,
                "value": effect.value,
                "without": effect.without,
                "added": effect.mean,
                "added_low": effect.interval[0] if effect.interval else None,
                "added_high": effect.interval[1] if effect.interval else None,
                "test_accuracy_without": float(np.mean(effect.without_it)),
                "seeds": len(effect.without_it),
            }
            for effect in sorted(effects, key=lambda effect: -effect.mean)
        ]
    )
    return files | {
        names.TABLE_ABLATION: table.to_csv(index=False).encode(),
        names.FIGURE_ABLATION: to_png(effects_figure(effects, title)),
    }


def note(
    title: str,
    winner: Train,
    trials: Sequence[TrialResult],
    done: Sequence[FinishedStep],
    effects: Sequence[Effect],
) -> str:
    """What was tried, what won, how well it does, and what that is owed to, in Markdown."""
    accuracies = test_accuracies(done)
    spread = f" ± {100 * np.std(accuracies, ddof=1):.2f}" if len(accuracies) > 1 else ""
    seconds = np.mean([one.metrics[names.FIT_SECONDS] for one in done])
    lines = [
        f"**{title}: test accuracy {100 * np.mean(accuracies):.2f}{spread} %** (mean ± standard "
        f"deviation of {len(accuracies)} seeds, {seconds:.0f} s of training each)."
    ]
    if top := best(tuple(trials)):
        pruned = sum(trial.pruned for trial in trials)
        lines.append(
            f"The best of {len(trials)} trials ({pruned} given up early) was trial {top.number}, "
            f"{top.score:.4f} on validation rows; the test rows were not looked at before."
        )
    lines.append(f"\n\n    {command('train', winner)}\n")
    if effects:
        lines.append("\n| technique | adds, points | 95 % interval |\n| --- | --- | --- |\n")
        rows = []
        for effect in sorted(effects, key=lambda effect: -effect.mean):
            bounds = format_points_range(*effect.interval) if effect.interval else "one seed"
            mean = format_points(effect.mean)
            rows.append(f"| {effect.technique}={effect.value} | {mean} | {bounds} |")
        lines.append("\n".join(rows))
    return " ".join(lines[:2]) + "".join(lines[2:])


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
