"""The numbers of a comparison as files that other programs read: CSV and JSON, as bytes."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

import pandas as pd

from fmnist import names
from fmnist.comparison.labels import weights
from fmnist.comparison.results import ComparedModel, Comparison, CrossvalPair, Pair
from fmnist.options.train import FROM_SCRATCH

_MEASURED: Final = (
    names.PARAMETERS_TOTAL,
    names.PARAMETERS_TRAINABLE,
    names.FIT_SECONDS,
    names.FEATURE_SECONDS,
    names.FEATURE_COST_SECONDS,
    names.PREDICT_MS_PER_IMAGE,
    names.MODEL_BYTES,
)
_CROSS_VALIDATED: Final = (
    names.CV_VAL_ACCURACY_MEAN,
    names.CV_VAL_ACCURACY_STD,
    names.CV_TEST_ACCURACY_MEAN,
    names.CV_TEST_ACCURACY_STD,
    names.CV_FOLDS,
)


def files(compared: Comparison) -> dict[str, bytes]:
    """The tables of the run, by their artifact names."""
    rows = [
        _row(compared_model, compared.class_names) for compared_model in compared.compared_models
    ]
    return {
        names.TABLE_COMPARISON: pd.DataFrame(rows).to_csv(index=False).encode(),
        names.TABLE_COMPARISON_JSON: _json(compared, rows),
        names.TABLE_PAIRWISE: _pairs_csv(Pair, compared.pairs),
        names.TABLE_PAIRWISE_CROSSVAL: _pairs_csv(CrossvalPair, compared.crossval_pairs),
    }


def _row(compared_model: ComparedModel, class_names: Sequence[str]) -> dict[str, Any]:
    run, options = compared_model.run, compared_model.run.options
    crossval = compared_model.crossval
    epochs = run.history.column(names.EPOCH_SECONDS)
    return {
        "label": compared_model.label,
        "model": options.model,
        "weights": "" if options.model in FROM_SCRATCH else weights(run),
        names.TEST_ACCURACY: compared_model.accuracy,
        "test_accuracy_low": compared_model.low,
        "test_accuracy_high": compared_model.high,
        names.TEST_MACRO_F1: compared_model.macro_f1,
        names.TEST_ECE: compared_model.calibration_error,
        **{
            f"f1 {name}": score.f1
            for name, score in zip(class_names, compared_model.per_class, strict=True)
        },
        **_of(crossval.metrics if crossval else {}, _CROSS_VALIDATED),
        **_of(run.metrics, _MEASURED),
        "epochs": run.history.epochs,
        "seconds_per_epoch": sum(epochs) / len(epochs),
        "test_rows": len(run.rows),
        "run_id": run.run_id,
        "run_link": run.link,
        "crossval_run_id": crossval.run_id if crossval else None,
        "crossval_run_link": crossval.link if crossval else None,
    }


def _of(metrics: Mapping[str, float], wanted: Sequence[str]) -> dict[str, float | None]:
    """Those metrics; None, which JSON can tell, where one is missing or no number."""
    numbers = {name: metrics.get(name, math.nan) for name in wanted}
    return {name: number if math.isfinite(number) else None for name, number in numbers.items()}


def _json(compared: Comparison, rows: list[dict[str, Any]]) -> bytes:
    options = [
        compared_model.run.options.fingerprint_fields()
        for compared_model in compared.compared_models
    ]
    told = {
        "data_digest": compared.data_digest,
        "class_names": list(compared.class_names),
        "compared_models": [row | {"options": own} for row, own in zip(rows, options, strict=True)],
        "pairs": [asdict(pair) for pair in compared.pairs],
        "crossval_pairs": [asdict(pair) for pair in compared.crossval_pairs],
        "findings": [asdict(finding) for finding in compared.findings],
        "left_out": [asdict(left_out) for left_out in compared.left_out],
    }
    return json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _pairs_csv(kind: type[Pair | CrossvalPair], pairs: Sequence[Pair | CrossvalPair]) -> bytes:
    """One line a pair; the columns are there without any pair, too."""
    columns = [field.name for field in fields(kind)]
    return (
        pd.DataFrame([asdict(pair) for pair in pairs], columns=columns).to_csv(index=False).encode()
    )
