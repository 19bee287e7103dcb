"""Tables, metrics and description contain the same numbers as the comparison."""

import csv
import json
import math
from io import StringIO

from fmnist import names
from fmnist.comparison import report
from fmnist.options import Train
from tests.helpers.comparisons import compare, compare_four, run
from tests.helpers.logged_runs import CLASS_NAMES


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(content.decode())))


def test_tables() -> None:
    comparison = compare_four()
    tables = report.create_tables(comparison)
    content = json.loads(tables[names.TABLE_COMPARISON_JSON])
    rows = read(tables[names.TABLE_COMPARISON])
    assert len(rows) == len(content["compared_models"]) == 4
    for row, entry, model in zip(rows, content["compared_models"], comparison.models, strict=True):
        assert row["label"] == entry["label"] == model.label
        assert row["run_id"] == entry["run_id"] == model.run.record.run_id
        assert float(row[names.TEST_ACCURACY]) == entry[names.TEST_ACCURACY] == model.accuracy
        assert float(row["test_accuracy_low"]) == model.low
        assert float(row["f1 class 3"]) == model.per_class[3].f1
        assert float(row["seconds_per_epoch"]) == 2.0
        assert entry["options"] == model.run.options.fingerprint_fields()
    assert rows[1][names.CV_VAL_ACCURACY_MEAN] == "0.884"
    assert rows[2]["feature_cost_seconds"] == "482.0"
    assert [row["weights"] for row in rows] == ["", "", "hed-bsds500", "none"]
    assert content["class_names"] == list(CLASS_NAMES)
    assert len(content["left_out"]) == 2
    sentences = [finding.sentence for finding in comparison.findings]
    assert [finding["sentence"] for finding in content["findings"]] == sentences
    pairs = read(tables[names.TABLE_PAIRWISE])
    assert [float(pair["p_holm"]) for pair in pairs] == [p.p_holm for p in comparison.pairs]
    folds = read(tables[names.TABLE_PAIRWISE_CROSSVAL])
    assert [float(pair["p"]) for pair in folds] == [p.p for p in comparison.crossval_pairs]


def test_missing_values_are_empty_cells_and_null() -> None:
    tables = report.create_tables(
        compare(run(Train(), 180, model_bytes=math.nan), run(Train(seed=1)))
    )
    row = read(tables[names.TABLE_COMPARISON])[0]
    assert row["model_bytes"] == row["fit_seconds"] == ""
    entry = json.loads(tables[names.TABLE_COMPARISON_JSON])["compared_models"][0]
    assert entry["model_bytes"] is entry["fit_seconds"] is None
    header = "first,second,difference,low,high,p,p_holm\n"
    assert tables[names.TABLE_PAIRWISE_CROSSVAL].decode() == header


def test_metrics() -> None:
    assert report.compute_metrics(compare_four()) == {
        names.COMPARED_MODELS: 4, names.LEFT_OUT: 2, names.BEST_TEST_ACCURACY: 0.8825,
    }  # fmt: skip


def test_the_description_starts_with_the_answer_and_fits_into_a_tag() -> None:
    weights = run(Train(model="vgg16", weights="a|b.h5"), 100, link="https://server/1")
    text = report.describe(compare(run(Train(), 180), weights))
    assert text.startswith("**lenet5 classifies 90.00 % of the 200 test images correctly")
    assert "| lenet5 | 90.00 % | 85.06 to 93.43 % |" in text
    assert "[vgg16 (a\\|b.h5 weights)](https://server/1)" in text
    assert "*seeds*" in text

    many = report.describe(compare(*(run(Train(dropout=n / 100)) for n in range(40))))
    assert len(many) < 8000
    assert many.endswith(names.COMPARISON_PAGE + ".")
