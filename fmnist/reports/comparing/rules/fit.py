"""How well training went: what was fitted, what carried over, whether it was over."""

from typing import Final

import numpy as np

from fmnist import names
from fmnist.comparison import Contender, Finding
from fmnist.reports.comparing.rules.facts import Facts
from fmnist.reports.comparing.rules.words import change, percent, points

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
    best_fit = max(trained(each) for each in facts.contenders)
    return [
        _gap(contender, best_fit)
        for contender in facts.leaders
        if names.VAL_ACCURACY in contender.run.history.metrics
    ]


def convergence(facts: Facts) -> list[Finding]:
    """Whether each leader's loss still fell when training ended."""
    return [
        _converged(contender) for contender in facts.leaders if contender.run.history.epochs > 1
    ]


def kept_epoch(contender: Contender) -> int:
    """The epoch, counted from 1, whose weights answered the test rows."""
    history = contender.run.history
    return history.best_epoch if contender.run.options.keep == "best" else history.epochs


def trained(contender: Contender) -> float:
    """Training accuracy of the epoch that was kept."""
    row = contender.run.history.rows[kept_epoch(contender) - 1]
    return row[names.TRAIN_ACCURACY]


def _gap(contender: Contender, best_fit: float) -> Finding:
    epoch = kept_epoch(contender)
    validated = contender.run.history.rows[epoch - 1][names.VAL_ACCURACY]
    gap = trained(contender) - validated
    told = (
        f"in the epoch that was kept ({epoch}) it is right on {percent(trained(contender))} of the "
        f"training rows and {percent(validated)} of the validation rows"
    )
    if gap >= GAP:
        verdict = f"{contender.label} overfits: {told}, {points(gap)} less"
    elif best_fit - trained(contender) >= GAP:
        verdict = (
            f"{contender.label} underfits: {told}, a gap of {change(gap)}, while the best fit of "
            f"all contenders is {percent(best_fit)}"
        )
    else:
        verdict = (
            f"{contender.label} does not overfit, and no contender fits the training rows "
            f"{points(GAP)} better: {told}, a gap of {change(gap)}"
        )
    return Finding(
        "fit",
        f"{verdict}.{_with_dropout(contender)}",
        f"train_accuracy and val_accuracy of {contender.label}, epoch {epoch}",
    )


def _converged(contender: Contender) -> Finding:
    history = contender.run.history
    metric = names.VAL_LOSS if names.VAL_LOSS in history.metrics else names.TRAIN_LOSS
    which = "validation loss" if metric == names.VAL_LOSS else "training loss"
    losses = history.column(metric)
    last = losses[-LAST_EPOCHS:]
    slope = float(np.polyfit(range(len(last)), last, 1)[0])
    lowest = int(np.argmin(losses)) + 1
    steps = f"{slope:+.4f} an epoch over the last {len(last)}"
    if lowest == history.epochs:
        told = (
            f"{contender.label} had not converged: its {which} was lowest in the last epoch, "
            f"{lowest} ({losses[-1]:.4f}; {steps}), so more epochs may still help"
        )
    else:
        told = (
            f"{contender.label} had converged: its {which} was lowest in epoch {lowest} "
            f"of {history.epochs} ({losses[lowest - 1]:.4f}) and {losses[-1]:.4f} in the last "
            f"({steps})"
        )
    return Finding("convergence", f"{told}.", f"{metric} of {contender.label} by epoch")


def _with_dropout(*contenders: Contender) -> str:
    """A warning where training accuracy is told of a network that was being thinned out."""
    dropped = [each.label for each in contenders if each.run.options.dropout > 0]
    return (
        f" (Dropout is on while the training accuracy of {' and '.join(dropped)} is measured, "
        "which lowers it.)"
        if dropped
        else ""
    )
