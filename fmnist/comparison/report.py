"""Tables, metrics and description of a comparison."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

import pandas as pd

from fmnist import names
from fmnist.comparison.findings import find_all
from fmnist.comparison.headline import write_headline
from fmnist.comparison.results import (
    SCRATCH,
    AccuracyPair,
    ComparedModel,
    Comparison,
    ModelPair,
)
from fmnist.plots.formatting import format_mean_std, format_percent_range

# All artifacts that a comparison may have.
FILES: Final = frozenset(
    {
        names.COMPARISON_PAGE,
        names.TABLE_COMPARISON,
        names.TABLE_COMPARISON_JSON,
        names.TABLE_REPLICATES,
        names.TABLE_PAIRWISE,
        names.TABLE_PAIRWISE_CROSSVAL,
        names.FIGURE_TEST_ACCURACY,
        names.FIGURE_ACCURACY_BY_EPOCH,
        names.FIGURE_CONVERGENCE,
        names.FIGURE_ACCURACY_VS_COST,
        names.FIGURE_CONFUSION_DIFFERENCE,
        names.FIGURE_DISAGREEMENTS,
    }
)
_RUN_METRICS: Final = (
    names.PARAMETERS_TOTAL,
    names.PARAMETERS_TRAINABLE,
    names.FIT_SECONDS,
    names.FEATURE_SECONDS,
    names.FEATURE_COST_SECONDS,
    names.PREDICT_MS_PER_IMAGE,
    names.MODEL_BYTES,
)
_CROSSVAL_METRICS: Final = (
    names.CV_VAL_ACCURACY_MEAN,
    names.CV_VAL_ACCURACY_STD,
    names.CV_TEST_ACCURACY_MEAN,
    names.CV_TEST_ACCURACY_STD,
    names.CV_FOLDS,
)

# MLflow limits tags to 8,000 characters.
_MAX_DESCRIPTION: Final = 7000


def compute_metrics(comparison: Comparison) -> dict[str, float]:
    """The metrics of the run."""
    return {
        names.COMPARED_MODELS: len(comparison.models),
        names.LEFT_OUT: len(comparison.excluded),
        names.BEST_TEST_ACCURACY: comparison.models[0].accuracy.mean,
    }


def create_tables(comparison: Comparison) -> dict[str, bytes]:
    """CSV and JSON files by artifact name."""
    rows = [_create_row(model, comparison.class_names) for model in comparison.models]
    return {
        names.TABLE_COMPARISON: _create_csv(rows),
        names.TABLE_REPLICATES: _create_csv(_create_replicates(comparison.models)),
        names.TABLE_COMPARISON_JSON: _create_json(comparison, rows),
        names.TABLE_PAIRWISE: _create_pair_csv(AccuracyPair, comparison.pairs),
        names.TABLE_PAIRWISE_CROSSVAL: _create_pair_csv(ModelPair, comparison.crossval_pairs),
    }


def describe(comparison: Comparison) -> str:
    """Headline, models, findings and excluded runs in Markdown, shortened to the size of a tag."""
    lines = [
        f"**{write_headline(comparison)}**",
        "",
        "| model | test accuracy | 95 % interval | seeds |",
        "| --- | --- | --- | --- |",
        *map(_create_markdown_row, comparison.models),
        "",
        *(f"- *{finding.topic}*: {finding.sentence}" for finding in find_all(comparison)),
        "",
        *(f"- excluded: {run.name}: {run.reason}" for run in comparison.excluded),
    ]
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(kept) + len(line) > _MAX_DESCRIPTION:
            return "\n".join([*kept, "", f"More in {names.COMPARISON_PAGE}."])
        kept.append(line)
    return "\n".join(kept).rstrip()


def _create_markdown_row(model: ComparedModel) -> str:
    label = model.label.replace("|", "\\|")  # file names of weights may contain bars
    accuracy = model.accuracy
    return (
        f"| {label} | {format_mean_std(accuracy.mean, accuracy.std)} | "
        f"{format_percent_range(accuracy.low, accuracy.high)} | {accuracy.seeds} |"
    )


def _create_row(model: ComparedModel, class_names: Sequence[str]) -> dict[str, Any]:
    crossval, run = model.crossval, model.runs[0]
    metrics = {name: model.metric(name) for name in _RUN_METRICS}
    return {
        "label": model.label,
        "model": model.options.model,
        "weights": "" if model.kind == SCRATCH else run.weights,
        "kind": model.kind,
        "seeds": model.accuracy.seeds,
        names.VAL_ACCURACY: model.validation_accuracy,
        names.TEST_ACCURACY: model.accuracy.mean,
        "test_accuracy_std": model.accuracy.std,
        "test_accuracy_low": model.accuracy.low,
        "test_accuracy_high": model.accuracy.high,
        names.TEST_MACRO_F1: model.macro_f1,
        names.TEST_ECE: model.calibration_error,
        **{f"f1 {name}": f1 for name, f1 in zip(class_names, model.f1_by_class, strict=True)},
        **_select(crossval.record.metrics if crossval else {}, _CROSSVAL_METRICS),
        **_select(metrics, _RUN_METRICS),
        "epochs": run.history.epochs,
        "test_rows": len(run.rows),
        "crossval_run_id": crossval.record.run_id if crossval else None,
        "crossval_run_link": crossval.record.link if crossval else None,
    }


def _create_replicates(models: Sequence[ComparedModel]) -> list[dict[str, Any]]:
    return [
        {
            "label": model.label,
            "seed": run.options.seed,
            "run_id": run.record.run_id,
            "run_name": run.record.name,
            "run_link": run.record.link,
            "epoch": run.epoch,
            names.VAL_ACCURACY: run.at_epoch(names.VAL_ACCURACY),
            names.TEST_ACCURACY: float(correct.mean()),
            **_select(run.record.metrics, (names.FIT_SECONDS,)),
        }
        for model in models
        for run, correct in zip(model.runs, model.correct, strict=True)
    ]


def _select(
    metrics: Mapping[str, float | None], selected: Sequence[str]
) -> dict[str, float | None]:
    return {names.column_name(name): _keep_finite(metrics.get(name)) for name in selected}


def _keep_finite(value: float | None) -> float | None:
    """None (JSON has no NaN) if the value is missing or not finite."""
    return value if value is not None and math.isfinite(value) else None


def _create_json(comparison: Comparison, rows: list[dict[str, Any]]) -> bytes:
    content = {
        "headline": write_headline(comparison),
        "data_digest": comparison.data_digest,
        "class_names": list(comparison.class_names),
        "compared_models": [
            row | {"options": model.runs[0].settings}
            for row, model in zip(rows, comparison.models, strict=True)
        ],
        "replicates": _create_replicates(comparison.models),
        "pairs": [asdict(pair) for pair in comparison.pairs],
        "crossval_pairs": [asdict(pair) for pair in comparison.crossval_pairs],
        "findings": [asdict(finding) for finding in find_all(comparison)],
        "left_out": [asdict(run) for run in comparison.excluded],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _create_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return pd.DataFrame(rows).to_csv(index=False).encode()


def _create_pair_csv(kind: type[ModelPair], pairs: Sequence[ModelPair]) -> bytes:
    """One line per pair; without pairs, only the header."""
    columns = [field.name for field in fields(kind)]
    # As objects, numbers of seeds stay integers where some are missing.
    table = pd.DataFrame([asdict(pair) for pair in pairs], columns=columns, dtype=object)
    return table.to_csv(index=False).encode()
