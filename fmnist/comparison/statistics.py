"""The numbers of a comparison: of each compared_model, and of every two."""

from collections.abc import Sequence
from itertools import combinations

from fmnist.comparison.labels import labels
from fmnist.comparison.load import Gathered
from fmnist.comparison.results import ComparedModel, CrossvalPair, Pair
from fmnist.evaluation import metrics, statistics
from fmnist.evaluation.statistics import wilson_interval
from fmnist.results.runs import LoggedCrossval


def compared_models(gathered: Gathered) -> tuple[ComparedModel, ...]:
    """All that were gathered, the most accurate first."""
    found = []
    for label, run in zip(labels(gathered.runs), gathered.runs, strict=True):
        right = int((run.test.predicted == run.test.labels).sum())
        low, high = wilson_interval(right, len(run.rows))
        found.append(
            ComparedModel(
                label=label,
                run=run,
                crossval=gathered.crossvals.get(run.run_id),
                accuracy=right / len(run.rows),
                low=low,
                high=high,
                macro_f1=metrics.macro_f1(run.test),
                calibration_error=metrics.expected_calibration_error(run.test),
                per_class=metrics.per_class(run.test),
            )
        )
    return tuple(
        sorted(found, key=lambda compared_model: (-compared_model.accuracy, compared_model.label))
    )


def pairs(all_of_them: Sequence[ComparedModel], seed: int) -> tuple[Pair, ...]:
    """Every two compared_models, the better first; `seed` draws the intervals."""
    found = []
    right = [
        compared_model.run.test.predicted == compared_model.run.test.labels
        for compared_model in all_of_them
    ]
    for one, other in combinations(range(len(all_of_them)), 2):
        only = statistics.count_discordant(right[one], right[other])
        total = len(right[one])
        low, high = statistics.paired_bootstrap_interval(*only, total, seed)
        found.append((one, other, only, (only[0] - only[1]) / total, low, high))
    tests = [statistics.mcnemar(*only) for _, _, only, *_ in found]
    corrected = statistics.holm_correction([test.p for test in tests])
    return tuple(
        Pair(
            first=all_of_them[one].label,
            second=all_of_them[other].label,
            only_first=only[0],
            only_second=only[1],
            difference=difference,
            low=low,
            high=high,
            test=test.test,
            p=test.p,
            p_holm=p_holm,
        )
        for (one, other, only, difference, low, high), test, p_holm in zip(
            found, tests, corrected, strict=True
        )
    )


def crossval_pairs(all_of_them: Sequence[ComparedModel]) -> tuple[CrossvalPair, ...]:
    """Every two compared_models that were cross-validated on the same folds."""
    found = [
        (one.label, other.label, _resampled(one.crossval, other.crossval))
        for one, other in combinations(all_of_them, 2)
        if one.crossval and other.crossval and _same_folds(one.crossval, other.crossval)
    ]
    corrected = statistics.holm_correction([result.p for _, _, result in found])
    return tuple(
        CrossvalPair(first, second, result.difference, result.low, result.high, result.p, p_holm)
        for (first, second, result), p_holm in zip(found, corrected, strict=True)
    )


def _resampled(one: LoggedCrossval, other: LoggedCrossval) -> statistics.ResampledTest:
    return statistics.corrected_resampled_t(one.held_out, other.held_out, one.options.folds)


def _same_folds(one: LoggedCrossval, other: LoggedCrossval) -> bool:
    """Folds follow from these options and the data, which all compared_models share."""
    return one.run_id != other.run_id and all(
        getattr(one.options, option) == getattr(other.options, option)
        for option in ("seed", "folds", "repeats", "train_size", "drop_duplicates")
    )
