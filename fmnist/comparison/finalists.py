"""The two compared_models that a comparison is about, and the answer that it gives."""

from dataclasses import replace

from fmnist import names
from fmnist.comparison.results import ComparedModel, Comparison, Pair
from fmnist.evaluation.statistics import SIGNIFICANCE_LEVEL
from fmnist.options.train import FROM_SCRATCH
from fmnist.plots.formatting import (
    format_count,
    format_p_equals,
    format_percent,
    format_points_range,
    format_seconds,
)


def finalists(comparison: Comparison) -> tuple[ComparedModel, ComparedModel] | None:
    """The best network trained from scratch and the best backbone, else the two best.

    The more accurate one comes first; None where there is but one compared_model.
    """
    compared_models = comparison.compared_models
    if len(compared_models) < 2:
        return None
    best = compared_models[0]
    others = [c for c in compared_models if _from_scratch(c) != _from_scratch(best)]
    return best, (others or compared_models[1:])[0]


def between(comparison: Comparison, first: ComparedModel, second: ComparedModel) -> Pair | None:
    """What was found of these two, told from the first one's side; None where nothing was."""
    for pair in comparison.pairs:
        if (pair.first, pair.second) == (first.label, second.label):
            return pair
        if (pair.first, pair.second) == (second.label, first.label):
            return _turned(pair)
    return None


def headline(comparison: Comparison) -> str:
    """The answer in two or three sentences: who is ahead, whether that is chance, at what cost."""
    found = finalists(comparison)
    best = comparison.compared_models[0]
    rows = format_count(len(best.run.rows))
    if found is None:
        return f"{format_percent(best.accuracy, 1)} of {rows} test images are answered right by {best.label}."  # noqa: E501
    first, second = found
    sentences = [
        f"{format_percent(first.accuracy, 1)} of {rows} test images are answered right by {first.label}, "  # noqa: E501
        f"{format_percent(second.accuracy, 1)} by {second.label}."
    ]
    pair = between(comparison, first, second)
    if pair is not None:
        interval = format_points_range(pair.low, pair.high)
        told = f"95 % interval {interval} points, corrected {format_p_equals(pair.p_holm)}"
        sentences.append(
            f"The difference is more than chance ({told})."
            if pair.p_holm < SIGNIFICANCE_LEVEL
            else f"These images cannot tell the two apart ({told})."
        )
    return " ".join(sentences + _costs(first, second))


def _costs(first: ComparedModel, second: ComparedModel) -> list[str]:
    """What the two cost, in a sentence; none where a run does not tell."""
    parameters = [c.run.metrics.get(names.PARAMETERS_TOTAL) for c in (first, second)]
    durations = [c.training_seconds for c in (first, second)]
    if None in parameters or None in durations:
        return []
    return [
        f"The first has {format_count(parameters[0])} parameters and took {format_seconds(durations[0])} to "  # noqa: E501
        f"train, the second {format_count(parameters[1])} and {format_seconds(durations[1])}, features included."  # noqa: E501
    ]


def _from_scratch(compared_model: ComparedModel) -> bool:
    return compared_model.run.options.model in FROM_SCRATCH


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
