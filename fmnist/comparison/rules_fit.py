"""How well training went: what was fitted, what carried over, whether it was over."""

from typing import Final

import numpy as np

from fmnist import names
from fmnist.comparison.results import ComparedModel, Finding
from fmnist.comparison.rules_facts import Facts
from fmnist.comparison.rules_words import change, percent, points

# A gap between training and validation accuracy from which a network is said to overfit, and how
# far below the best fit its training accuracy must be to be said to underfit.
GAP: Final = 0.02
LAST_EPOCHS: Final = 3


def why(facts: Facts) -> list[Finding]:
    """Whether the leaders' difference is there on the training rows, or arises on new images.

    The difference of test accuracies is the difference of training accuracies, and what each loses
    from training to test rows.
    """
    first, second = facts.leaders
    ahead = first.accuracy - second.accuracy
    if ahead == 0:
        return []
    fitted = trained(first) - trained(second)
    lost = [trained(each) - each.accuracy for each in (first, second)]
    if fitted >= ahead / 2:
        told = (
            f"Most of the {points(ahead)} are there on the training rows already: {second.label} "
            f"fits them to {percent(trained(second))}, {first.label} to {percent(trained(first))}, "
            f"so {second.label} is held back by what it can express or by too little training, not "
            "by overfitting"
        )
    else:
        told = (
            f"The {points(ahead)} arise on new images: on the training rows {first.label} reaches "
            f"{percent(trained(first))} and {second.label} {percent(trained(second))}, but from "
            f"training to test rows {first.label} changes by {change(-lost[0])} and "
            f"{second.label} by {change(-lost[1])}"
        )
    return [
        Finding(
            "why",
            f"{told}.{_with_dropout(first, second)}",
            f"train_accuracy of epochs {kept_epoch(first)} and {kept_epoch(second)}; "
            f"test_accuracy {percent(first.accuracy)} and {percent(second.accuracy)}",
        )
    ]


def gaps(facts: Facts) -> list[Finding]:
    """Overfitting or underfitting of each leader at the epoch whose weights were kept."""
    best_fit = max(trained(each) for each in facts.compared_models)
    return [
        _gap(model, best_fit)
        for model in facts.leaders
        if names.VAL_ACCURACY in model.run.history.metrics
    ]


def convergence(facts: Facts) -> list[Finding]:
    """Whether each leader's loss still fell when training ended."""
    return [_converged(model) for model in facts.leaders if model.run.history.epochs > 1]


def kept_epoch(model: ComparedModel) -> int:
    """The epoch, counted from 1, whose weights answered the test rows."""
    history = model.run.history
    return history.best_epoch if model.run.options.keep == "best" else history.epochs


def trained(model: ComparedModel) -> float:
    """Training accuracy of the epoch that was kept."""
    row = model.run.history.rows[kept_epoch(model) - 1]
    return row[names.TRAIN_ACCURACY]


def _gap(model: ComparedModel, best_fit: float) -> Finding:
    epoch = kept_epoch(model)
    validated = model.run.history.rows[epoch - 1][names.VAL_ACCURACY]
    gap = trained(model) - validated
    told = (
        f"in the epoch that was kept ({epoch}) it is right on {percent(trained(model))} of the "
        f"training rows and {percent(validated)} of the validation rows"
    )
    if gap >= GAP:
        verdict = f"{model.label} overfits: {told}, {points(gap)} less"
    elif best_fit - trained(model) >= GAP:
        verdict = (
            f"{model.label} underfits: {told}, a gap of {change(gap)}, while the best fit of "
            f"all models is {percent(best_fit)}"
        )
    else:
        verdict = (
            f"{model.label} does not overfit, and no model fits the training rows "
            f"{points(GAP)} better: {told}, a gap of {change(gap)}"
        )
    return Finding(
        "fit",
        f"{verdict}.{_with_dropout(model)}",
        f"train_accuracy and val_accuracy of {model.label}, epoch {epoch}",
    )


def _converged(model: ComparedModel) -> Finding:
    history = model.run.history
    metric = names.VAL_LOSS if names.VAL_LOSS in history.metrics else names.TRAIN_LOSS
    which = "validation loss" if metric == names.VAL_LOSS else "training loss"
    losses = history.column(metric)
    last = losses[-LAST_EPOCHS:]
    slope = float(np.polyfit(range(len(last)), last, 1)[0])
    lowest = int(np.argmin(losses)) + 1
    steps = f"{slope:+.4f} an epoch over the last {len(last)}"
    if lowest == history.epochs:
        told = (
            f"{model.label} had not converged: its {which} was lowest in the last epoch, "
            f"{lowest} ({losses[-1]:.4f}; {steps}), so more epochs may still help"
        )
    else:
        told = (
            f"{model.label} had converged: its {which} was lowest in epoch {lowest} "
            f"of {history.epochs} ({losses[lowest - 1]:.4f}) and {losses[-1]:.4f} in the last "
            f"({steps})"
        )
    return Finding("convergence", f"{told}.", f"{metric} of {model.label} by epoch")


def _with_dropout(*compared_models: ComparedModel) -> str:
    """A warning where training accuracy is told of a network that was being thinned out."""
    dropped = [each.label for each in compared_models if each.run.options.dropout > 0]
    return (
        f" (Dropout is on while the training accuracy of {' and '.join(dropped)} is measured, "
        "which lowers it.)"
        if dropped
        else ""
    )
