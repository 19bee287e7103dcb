"""Tables, metrics and description hold the numbers of the comparison."""

import csv
import json
import math

from fmnist import names
from fmnist.comparison import report
from fmnist.comparison.findings import find_all
from fmnist.comparison.headline import write_headline
from fmnist.comparison.results import ExcludedRun
from fmnist.options import Train
from tests.helpers.comparisons import compare, compare_four, run
from tests.helpers.logged_runs import CLASS_NAMES


def read(table: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(table.decode().splitlines()))


def test_tables_hold_all_numbers() -> None:
    comparison = compare_four()
    tables = report.create_tables(comparison)
    assert tables.keys() == {name for name in report.FILES if name.startswith("tables/")}
    content = json.loads(tables[names.TABLE_COMPARISON_JSON])
    rows = read(tables[names.TABLE_COMPARISON])
    assert len(rows) == len(content["compared_models"]) == 4
    for row, entry, model in zip(rows, content["compared_models"], comparison.models, strict=True):
        assert row["label"] == entry["label"] == model.label
        assert row["seeds"] == "3"
        assert float(row[names.TEST_ACCURACY]) == entry[names.TEST_ACCURACY] == model.accuracy.mean
        assert float(row["test_accuracy_std"]) == model.accuracy.std
        assert float(row["f1 class 3"]) == model.f1_by_class[3]
        assert float(row["fit_seconds"]) == model.metric(names.FIT_SECONDS)
        assert entry["options"] == model.runs[0].settings
    replicates = read(tables[names.TABLE_REPLICATES])
    runs = [each for model in comparison.models for each in model.runs]
    assert [row["run_id"] for row in replicates] == [each.record.run_id for each in runs]
    assert [row["seed"] for row in replicates] == ["0", "1", "2"] * 4
    first = comparison.models[0].correct[1].mean()
    assert float(replicates[1][names.TEST_ACCURACY]) == first
    assert content["headline"] == write_headline(comparison)
    assert content["class_names"] == list(CLASS_NAMES)
    assert len(content["excluded"]) == 2
    sentences = [finding.sentence for finding in find_all(comparison)]
    assert [finding["sentence"] for finding in content["findings"]] == sentences
    pairs = read(tables[names.TABLE_PAIRWISE])
    assert [float(pair["p_holm"]) for pair in pairs] == [p.p_holm for p in comparison.pairs]
    seeds = ["" if p.seeds_needed is None else str(p.seeds_needed) for p in comparison.pairs]
    assert [pair["seeds_needed"] for pair in pairs] == seeds
    folds = read(tables[names.TABLE_PAIRWISE_CROSSVAL])
    assert [float(p["p_value"]) for p in folds] == [p.p_value for p in comparison.crossval_pairs]


def test_missing_values_are_empty_cells_and_null() -> None:
    tables = report.create_tables(
        compare(run(Train(), 180, model_bytes=math.nan), run(Train(dropout=0.1)))
    )
    row = read(tables[names.TABLE_COMPARISON])[0]
    assert row["model_bytes"] == row["fit_seconds"] == row["test_accuracy_std"] == ""
    entry = json.loads(tables[names.TABLE_COMPARISON_JSON])["compared_models"][0]
    assert entry["model_bytes"] is entry["fit_seconds"] is entry["test_accuracy_std"] is None
    header = "first,second,difference,low,high,p_value,p_holm\n"
    assert tables[names.TABLE_PAIRWISE_CROSSVAL].decode() == header


def test_metrics_and_description() -> None:
    comparison = compare_four()
    assert report.compute_metrics(comparison) == {
        names.COMPARED_MODELS: 4, names.LEFT_OUT: 2,
        names.BEST_TEST_ACCURACY: comparison.models[0].accuracy.mean,
    }  # fmt: skip
    text = report.describe(comparison)
    assert text.startswith(f"**{write_headline(comparison)}**")
    assert "| lenet5 | 88.50 ± 0.50 % | " in text
    assert "excluded: calm-owl-2: other test rows" in text
    bars = report.describe(compare(run(Train()), run(Train(model="vgg16", weights="a|b.h5"))))
    assert "| vgg16 (a\\|b.h5 weights) | " in bars
    assert "nan" not in bars

    excluded = (ExcludedRun("1", "run " * 20, None, "status FAILED"),) * 100
    many = report.describe(compare(run(Train()), run(Train(dropout=0.1)), excluded=excluded))
    assert len(many) < 8000
    assert many.endswith(names.COMPARISON_PAGE + ".")
