"""Compute a comparison from the loaded runs: labels, scores, pairwise tests and findings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from fmnist.comparison.findings import find_all
from fmnist.comparison.load import LoadedRuns
from fmnist.comparison.results import (
    ComparedModel,
    Comparison,
    CrossvalRun,
    McNemarPair,
    ModelPair,
    TrainRun,
)
from fmnist.evaluation import crossval_statistics, metrics, statistics
from fmnist.options import Train
from fmnist.options.recipe import REPORT_RECIPE
from fmnist.options.train import model_title

_SHORTEST_ID = 8


def compare_runs(loaded: LoadedRuns, seed: int) -> Comparison:
    """Compare the runs.

    Args:
        seed: for the bootstrap intervals of differences.
    """
    models = [
        _score(label, run, loaded.crossvals.get(run.record.run_id))
        for label, run in zip(create_labels(loaded.runs), loaded.runs, strict=True)
    ]
    models.sort(key=lambda model: (-model.accuracy, model.label))
    comparison = Comparison(
        models=tuple(models),
        pairs=_compare_pairs(models, seed),
        crossval_pairs=_compare_crossvals(models),
        excluded=loaded.excluded,
        findings=(),
        near_duplicates=loaded.near_duplicates,
        class_names=loaded.class_names,
        data_digest=loaded.data_digest,
    )
    return replace(comparison, findings=find_all(comparison))


def create_labels(runs: Sequence[TrainRun]) -> list[str]:
    """A short, unique label for each run.

    It consists of the model, weights other than ImageNet's, and the options that differ from the
    defaults (or from those of its recipe) and are not the same in all runs. Runs that are equal in
    all of these are distinguished by the start of their id.
    """
    labels = [", ".join([_title(run), *_describe_options(run, runs)]) for run in runs]
    counts = Counter(labels)
    return [
        f"{label} (run {_shorten_id(run, runs)})" if counts[label] > 1 else label
        for label, run in zip(labels, runs, strict=True)
    ]


def _title(run: TrainRun) -> str:
    return model_title(run.options.model, "" if run.is_from_scratch else run.weights)


def _describe_options(run: TrainRun, runs: Sequence[TrainRun]) -> list[str]:
    recipe, model = run.options.recipe, run.options.model
    default = Train(recipe=recipe, model=model).fingerprint_fields()
    fields_of_all = [other.options.fingerprint_fields() for other in runs]
    words = []
    if recipe != REPORT_RECIPE and any(other.options.recipe != recipe for other in runs):
        words.append(f"recipe {recipe}")
    for option, value in run.options.fingerprint_fields().items():
        if option in ("model", "weights") or value == default[option]:
            continue
        if any(fields[option] != value for fields in fields_of_all):
            words.append(f"{option.replace('_', ' ')} {value}")
    return words


def _shorten_id(run: TrainRun, runs: Sequence[TrainRun]) -> str:
    run_id, length = run.record.run_id, _SHORTEST_ID
    while sum(other.record.run_id.startswith(run_id[:length]) for other in runs) > 1:
        length += 1
    return run_id[:length]


def _score(label: str, run: TrainRun, crossval: CrossvalRun | None) -> ComparedModel:
    correct = int((run.test.predicted == run.test.labels).sum())
    low, high = statistics.wilson_interval(correct, len(run.rows))
    return ComparedModel(
        label=label,
        run=run,
        crossval=crossval,
        accuracy=correct / len(run.rows),
        low=low,
        high=high,
        macro_f1=metrics.macro_f1(run.test),
        calibration_error=metrics.expected_calibration_error(run.test),
        per_class=metrics.per_class(run.test),
    )


def _compare_pairs(models: Sequence[ComparedModel], seed: int) -> tuple[McNemarPair, ...]:
    """McNemar's test of every two models, the more accurate one first."""
    pairs = []
    for first, second in combinations(models, 2):
        correct = [model.run.test.predicted == model.run.test.labels for model in (first, second)]
        only_first, only_second = statistics.count_discordant(*correct)
        total = len(first.run.rows)
        low, high = statistics.bootstrap_interval(correct[0] - correct[1].astype(float), seed)
        test, p = statistics.mcnemar(only_first, only_second)
        pairs.append(
            McNemarPair(
                first=first.label,
                second=second.label,
                only_first=only_first,
                only_second=only_second,
                difference=(only_first - only_second) / total,
                low=low,
                high=high,
                test=test,
                p=p,
                p_holm=p,
            )
        )
    corrected = statistics.holm([pair.p for pair in pairs])
    return tuple(replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True))


def _compare_crossvals(models: Sequence[ComparedModel]) -> tuple[ModelPair, ...]:
    """The corrected resampled t-test of every two models with cross-validations on equal folds."""
    pairs = []
    for first, second in combinations(models, 2):
        one, other = first.crossval, second.crossval
        if one and other and _have_same_folds(one, other):
            result = crossval_statistics.corrected_resampled_t(
                one.fold_accuracies, other.fold_accuracies, one.options.folds
            )
            pairs.append(ModelPair(first.label, second.label, *result, p_holm=result.p))
    corrected = statistics.holm([pair.p for pair in pairs])
    return tuple(replace(pair, p_holm=p) for pair, p in zip(pairs, corrected, strict=True))


def _have_same_folds(one: CrossvalRun, other: CrossvalRun) -> bool:
    """Whether the folds are equal. They follow from these options and the data."""
    return one.record.run_id != other.record.run_id and all(
        getattr(one.options, option) == getattr(other.options, option)
        for option in ("seed", "folds", "repeats", "train_size", "drop_duplicates")
    )
