"""Tables, metrics and description of a comparison."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

import pandas as pd

from fmnist import names
from fmnist.comparison.results import ComparedModel, Comparison, McNemarPair, ModelPair
from fmnist.plots.formatting import format_percent, format_percent_range, format_score

# All artifacts that a comparison may have.
FILES: Final = frozenset(
    {
        names.COMPARISON_PAGE,
        names.TABLE_COMPARISON,
        names.TABLE_COMPARISON_JSON,
        names.TABLE_PAIRWISE,
        names.TABLE_PAIRWISE_CROSSVAL,
        names.FIGURE_ACCURACY_BY_EPOCH,
        names.FIGURE_CONVERGENCE,
        names.FIGURE_ACCURACY_VS_COST,
        names.FIGURE_CONFUSION_DIFFERENCE,
        names.FIGURE_PER_CLASS_COMPARISON,
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
        names.BEST_TEST_ACCURACY: comparison.models[0].accuracy,
    }


def create_tables(comparison: Comparison) -> dict[str, bytes]:
    """CSV and JSON files by artifact name."""
    rows = [_create_row(model, comparison.class_names) for model in comparison.models]
    return {
        names.TABLE_COMPARISON: pd.DataFrame(rows).to_csv(index=False).encode(),
        names.TABLE_COMPARISON_JSON: _create_json(comparison, rows),
        names.TABLE_PAIRWISE: _create_pair_csv(McNemarPair, comparison.pairs),
        names.TABLE_PAIRWISE_CROSSVAL: _create_pair_csv(ModelPair, comparison.crossval_pairs),
    }


def describe(comparison: Comparison) -> str:
    """Findings, models and excluded runs in Markdown, shortened to the size of a tag."""
    answers = [finding.sentence for finding in comparison.findings if finding.topic == "answer"]
    lines = [
        f"**{' '.join(answers)}**",
        "",
        "| model | test accuracy | 95 % interval | macro F1 |",
        "| --- | --- | --- | --- |",
        *map(_create_markdown_row, comparison.models),
        "",
        *(
            f"- *{finding.topic}*: {finding.sentence}"
            for finding in comparison.findings
            if finding.topic != "answer"
        ),
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
    link = model.run.record.link
    label = model.label.replace("|", "\\|")  # file names of weights may contain bars
    return (
        f"| {f'[{label}]({link})' if link else label} | {format_percent(model.accuracy)} | "
        f"{format_percent_range(model.low, model.high)} | {format_score(model.macro_f1)} |"
    )


def _create_row(model: ComparedModel, class_names: Sequence[str]) -> dict[str, Any]:
    run, crossval = model.run, model.crossval
    return {
        "label": model.label,
        "model": run.options.model,
        "weights": "" if run.is_from_scratch else run.weights,
        names.TEST_ACCURACY: model.accuracy,
        "test_accuracy_low": model.low,
        "test_accuracy_high": model.high,
        names.TEST_MACRO_F1: model.macro_f1,
        names.TEST_ECE: model.calibration_error,
        **{
            f"f1 {name}": score.f1 if score.support else None
            for name, score in zip(class_names, model.per_class, strict=True)
        },
        **_select_finite(crossval.record.metrics if crossval else {}, _CROSSVAL_METRICS),
        **_select_finite(run.record.metrics, _RUN_METRICS),
        "epochs": run.history.epochs,
        "seconds_per_epoch": sum(run.history.column(names.EPOCH_SECONDS)) / run.history.epochs,
        "test_rows": len(run.rows),
        "run_id": run.record.run_id,
        "run_link": run.record.link,
        "crossval_run_id": crossval.record.run_id if crossval else None,
        "crossval_run_link": crossval.record.link if crossval else None,
    }


def _select_finite(
    metrics: Mapping[str, float], selected: Sequence[str]
) -> dict[str, float | None]:
    """The selected metrics; None (JSON has no NaN) if one is missing or not finite."""
    values = {names.column_name(name): metrics.get(name, math.nan) for name in selected}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _create_json(comparison: Comparison, rows: list[dict[str, Any]]) -> bytes:
    content = {
        "data_digest": comparison.data_digest,
        "class_names": list(comparison.class_names),
        "compared_models": [
            row | {"options": model.run.options.fingerprint_fields()}
            for row, model in zip(rows, comparison.models, strict=True)
        ],
        "pairs": [asdict(pair) for pair in comparison.pairs],
        "crossval_pairs": [asdict(pair) for pair in comparison.crossval_pairs],
        "findings": [asdict(finding) for finding in comparison.findings],
        "left_out": [asdict(run) for run in comparison.excluded],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _create_pair_csv(kind: type[ModelPair], pairs: Sequence[ModelPair]) -> bytes:
    """One line per pair; without pairs, only the header."""
    columns = [field.name for field in fields(kind)]
    table = pd.DataFrame([asdict(pair) for pair in pairs], columns=columns)
    return table.to_csv(index=False).encode()
