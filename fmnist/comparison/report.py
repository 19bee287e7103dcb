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
from fmnist.comparison.models import SCRATCH, ComparedModel
from fmnist.comparison.pairs import AccuracyPair, ModelPair
from fmnist.comparison.results import Comparison
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

Row = dict[str, Any]


def compute_metrics(comparison: Comparison) -> dict[str, float]:
    """The metrics of the run."""
    return {
        names.COMPARED_MODELS: len(comparison.models),
        names.LEFT_OUT: len(comparison.excluded),
        names.BEST_TEST_ACCURACY: comparison.models[0].accuracy.mean,
    }


def create_tables(comparison: Comparison) -> dict[str, bytes]:
    """CSV and JSON files by artifact name."""
    models = [_create_row(model, comparison.class_names) for model in comparison.models]
    replicates = [row for model in comparison.models for row in _create_replicates(model)]
    content = {
        "headline": write_headline(comparison),
        "data_digest": comparison.data_digest,
        "class_names": comparison.class_names,
        "compared_models": [
            row | {"options": model.runs[0].settings}
            for row, model in zip(models, comparison.models, strict=True)
        ],
        "replicates": replicates,
        "pairs": list(map(asdict, comparison.pairs)),
        "crossval_pairs": list(map(asdict, comparison.crossval_pairs)),
        "findings": [finding._asdict() for finding in find_all(comparison)],
        "excluded": list(map(asdict, comparison.excluded)),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return {
        names.TABLE_COMPARISON: pd.DataFrame(models).to_csv(index=False).encode(),
        names.TABLE_REPLICATES: pd.DataFrame(replicates).to_csv(index=False).encode(),
        names.TABLE_COMPARISON_JSON: text.encode(),
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
    text = "\n".join(lines).rstrip()
    if len(text) <= _MAX_DESCRIPTION:
        return text
    last_line_end = text.rindex("\n", 0, _MAX_DESCRIPTION)
    return f"{text[:last_line_end]}\n\nMore in {names.COMPARISON_PAGE}."


def _create_markdown_row(model: ComparedModel) -> str:
    label = model.label.replace("|", "\\|")  # file names of weights may contain bars
    accuracy = model.accuracy
    return (
        f"| {label} | {format_mean_std(accuracy.mean, accuracy.std)} | "
        f"{format_percent_range(accuracy.low, accuracy.high)} | {accuracy.seeds} |"
    )


def _create_row(model: ComparedModel, class_names: Sequence[str]) -> Row:
    run, folds = model.runs[0], model.crossval.record if model.crossval else None
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
        **_select(folds.metrics if folds else {}, _CROSSVAL_METRICS),
        **_select({name: model.metric(name) for name in _RUN_METRICS}, _RUN_METRICS),
        "epochs": run.history.epochs,
        "test_rows": len(run.rows),
        "crossval_run_id": folds.run_id if folds else None,
        "crossval_run_link": folds.link if folds else None,
    }


def _create_replicates(model: ComparedModel) -> list[Row]:
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
        for run, correct in zip(model.runs, model.correct, strict=True)
    ]


def _select(metrics: Mapping[str, float | None], selected: Sequence[str]) -> Row:
    """These metrics by column; None (JSON has no NaN) if the value is missing or not finite."""
    values = {names.column_name(name): metrics.get(name) for name in selected}
    return {
        column: value if value is not None and math.isfinite(value) else None
        for column, value in values.items()
    }


def _create_pair_csv(kind: type[ModelPair], pairs: Sequence[ModelPair]) -> bytes:
    """One line per pair; without pairs, only the header."""
    columns = [field.name for field in fields(kind)]
    # As objects, numbers of seeds stay integers where some are missing.
    table = pd.DataFrame([asdict(pair) for pair in pairs], columns=columns, dtype=object)
    return table.to_csv(index=False).encode()
