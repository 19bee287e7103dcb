"""The numbers of a comparison: of each contender, and of every two."""

from collections.abc import Sequence
from itertools import combinations

from fmnist.comparison import Contender, CrossvalPair, Pair
from fmnist.evaluation import paired, scores
from fmnist.evaluation.significance import wilson_interval
from fmnist.logged import LoggedCrossval
from fmnist.reports.comparing.gathering import Gathered
from fmnist.reports.comparing.labels import labels


def contenders(gathered: Gathered) -> tuple[Contender, ...]:
    """All that were gathered, the most accurate first."""
    found = []
    for label, run in zip(labels(gathered.runs), gathered.runs, strict=True):
        right = int((run.test.predicted == run.test.labels).sum())
        low, high = wilson_interval(right, len(run.rows))
        found.append(
            Contender(
                label=label,
                run=run,
                crossval=gathered.crossvals.get(run.run_id),
                accuracy=right / len(run.rows),
                low=low,
                high=high,
                macro_f1=scores.macro_f1(run.test),
                calibration_error=scores.expected_calibration_error(run.test),
                per_class=scores.per_class(run.test),
            )
        )
    return tuple(sorted(found, key=lambda contender: (-contender.accuracy, contender.label)))


def pairs(all_of_them: Sequence[Contender], seed: int) -> tuple[Pair, ...]:
    """Every two contenders, the better first; `seed` draws the intervals."""
    found = []
    right = [contender.run.test.predicted == contender.run.test.labels for contender in all_of_them]
    for one, other in combinations(range(len(all_of_them)), 2):
        only = paired.discordant(right[one], right[other])
        total = len(right[one])
        low, high = paired.paired_interval(*only, total, seed)
        found.append((one, other, only, (only[0] - only[1]) / total, low, high))
    tests = [paired.mcnemar(*only) for _, _, only, *_ in found]
    corrected = paired.holm([test.p for test in tests])
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


def crossval_pairs(all_of_them: Sequence[Contender]) -> tuple[CrossvalPair, ...]:
    """Every two contenders that were cross-validated on the same folds."""
    found = [
        (one.label, other.label, _resampled(one.crossval, other.crossval))
        for one, other in combinations(all_of_them, 2)
        if one.crossval and other.crossval and _same_folds(one.crossval, other.crossval)
    ]
    corrected = paired.holm([result.p for _, _, result in found])
    return tuple(
        CrossvalPair(first, second, result.difference, result.low, result.high, result.p, p_holm)
        for (first, second, result), p_holm in zip(found, corrected, strict=True)
    )


def _resampled(one: LoggedCrossval, other: LoggedCrossval) -> paired.Resampled:
    return paired.corrected_resampled_t(one.held_out, other.held_out, one.options.folds)


def _same_folds(one: LoggedCrossval, other: LoggedCrossval) -> bool:
    """Folds follow from these options and the data, which all contenders share."""
    return one.run_id != other.run_id and all(
        getattr(one.options, option) == getattr(other.options, option)
        for option in ("seed", "folds", "repeats", "train_size", "drop_duplicates")
    )
