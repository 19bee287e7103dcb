"""The two contenders that a comparison is about, and the answer that it gives."""

from dataclasses import replace

from fmnist import names
from fmnist.comparison import Comparison, Contender, Pair
from fmnist.reports.wording import (
    SIGNIFICANT,
    p_is,
    percent,
    points_range,
    seconds,
    whole,
)


def rivals(comparison: Comparison) -> tuple[Contender, Contender] | None:
    """The best LeNet-5 and the best backbone where there are both, else the two best.

    The more accurate one comes first; None where there is but one contender.
    """
    contenders = comparison.contenders
    if len(contenders) < 2:
        return None
    best = contenders[0]
    others = [c for c in contenders if _is_lenet(c) != _is_lenet(best)]
    return best, (others or contenders[1:])[0]


def between(comparison: Comparison, first: Contender, second: Contender) -> Pair | None:
    """What was found of these two, told from the first one's side; None where nothing was."""
    for pair in comparison.pairs:
        if (pair.first, pair.second) == (first.label, second.label):
            return pair
        if (pair.first, pair.second) == (second.label, first.label):
            return _turned(pair)
    return None


def headline(comparison: Comparison) -> str:
    """The answer in two or three sentences: who is ahead, whether that is chance, at what cost."""
    found = rivals(comparison)
    best = comparison.contenders[0]
    rows = whole(len(best.run.rows))
    if found is None:
        return f"{percent(best.accuracy)} of {rows} test images are answered right by {best.label}."
    first, second = found
    sentences = [
        f"{percent(first.accuracy)} of {rows} test images are answered right by {first.label}, "
        f"{percent(second.accuracy)} by {second.label}."
    ]
    pair = between(comparison, first, second)
    if pair is not None:
        interval = points_range(pair.low, pair.high)
        told = f"95 % interval {interval} points, corrected {p_is(pair.p_holm)}"
        sentences.append(
            f"The difference is more than chance ({told})."
            if pair.p_holm < SIGNIFICANT
            else f"These images cannot tell the two apart ({told})."
        )
    return " ".join(sentences + _costs(first, second))


def _costs(first: Contender, second: Contender) -> list[str]:
    """What the two cost, in a sentence; none where a run does not tell."""
    parameters = [c.run.metrics.get(names.PARAMETERS_TOTAL) for c in (first, second)]
    durations = [c.training_seconds for c in (first, second)]
    if None in parameters or None in durations:
        return []
    return [
        f"The first has {whole(parameters[0])} parameters and took {seconds(durations[0])} to "
        f"train, the second {whole(parameters[1])} and {seconds(durations[1])}, features included."
    ]


def _is_lenet(contender: Contender) -> bool:
    return contender.run.options.model == "lenet5"


def _turned(pair: Pair) -> Pair:
    return replace(
        pair,
        first=pair.second,
        second=pair.first,
        only_first=pair.only_second,
        only_second=pair.only_first,
        difference=-pair.difference,
        low=-pair.high,
        high=-pair.low,
    )
