"""What `eda` leaves behind for good data, bad data and bad options."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmnist import names
from fmnist.data import dataset, files, idx
from fmnist.options import Eda
from tests.entrypoints.conftest import Bench

Arrays = dict[str, idx.Bytes]

FIGURES = {
    names.FIGURE_CLASS_BALANCE, names.FIGURE_SAMPLES, names.FIGURE_MEAN_IMAGES,
    names.FIGURE_PIXEL_INTENSITY, names.FIGURE_CORRELATION, names.FIGURE_TSNE, names.FIGURE_PCA,
    names.FIGURE_PCA_VARIANCE, names.FIGURE_NEAR_DUPLICATES,
}  # fmt: skip
TABLES = {
    names.TABLE_AUDIT, names.TABLE_EMBEDDING, names.TABLE_PIXEL_INTENSITY,
    names.TABLE_CLASS_IMAGES, names.TABLE_CORRELATION, names.TABLE_CORRELATION_DISTANCE,
    names.TABLE_PCA_VARIANCE, names.TABLE_NEAR_DUPLICATES, names.TABLE_TSNE,
}  # fmt: skip
SECONDS = {
    names.AUDIT_SECONDS, names.DUPLICATES_SECONDS, names.CORRELATION_PCA_SECONDS,
    names.NEAR_DUPLICATES_SECONDS, names.NEIGHBOURS_SECONDS, names.TSNE_SECONDS,
    names.QUALITY_SECONDS, names.FIGURES_SECONDS, names.EDA_SECONDS,
}  # fmt: skip


def planted(arrays: Arrays) -> None:
    """Duplicates of every kind, one with another label, near ones, blank and constant images."""
    train, test = arrays[files.TRAIN_IMAGES], arrays[files.TEST_IMAGES]
    train[1] = train[0]
    arrays[files.TRAIN_LABELS][1] = (arrays[files.TRAIN_LABELS][0] + 1) % 10
    train[2] = test[5]
    test[7] = test[6]
    train[3] = test[9] ^ 1
    train[[10, 11]] = 0
    train[12] = 50
    test[20] = 0
    train[:, 0, 0] = test[:, 0, 0] = 0


def without_class_four(arrays: Arrays) -> None:
    for images, labels in (
        (files.TRAIN_IMAGES, files.TRAIN_LABELS), (files.TEST_IMAGES, files.TEST_LABELS)
    ):  # fmt: skip
        kept = arrays[labels] != 4
        arrays[images], arrays[labels] = arrays[images][kept], arrays[labels][kept]


def one_a_class(arrays: Arrays) -> None:
    for images, labels in (
        (files.TRAIN_IMAGES, files.TRAIN_LABELS), (files.TEST_IMAGES, files.TEST_LABELS)
    ):  # fmt: skip
        _, rows = np.unique(arrays[labels], return_index=True)
        arrays[images], arrays[labels] = arrays[images][rows], arrays[labels][rows]


def all_the_same(arrays: Arrays) -> None:
    arrays[files.TRAIN_IMAGES][:] = 7


@pytest.fixture
def changed(small_data_dir: Path, tmp_path: Path) -> Callable[[Callable[[Arrays], None]], Path]:
    """A function that writes a copy of the small data set, changed, and returns its folder."""

    def write(change: Callable[[Arrays], None]) -> Path:
        data = dataset.load(str(small_data_dir), "auto")
        arrays = {
            files.TRAIN_IMAGES: data.train.images.copy(),
            files.TRAIN_LABELS: data.train.labels.copy(),
            files.TEST_IMAGES: data.test.images.copy(),
            files.TEST_LABELS: data.test.labels.copy(),
        }
        change(arrays)
        folder = tmp_path / "changed"
        folder.mkdir()
        for name, array in arrays.items():
            (folder / f"{name}.gz").write_bytes(gzip.compress(idx.encode(array)))
        return folder

    return write


def audit_of(bench: Bench) -> dict:
    [run] = bench.runs()
    return json.loads(Path(bench.client.download_artifacts(run.info.run_id, names.TABLE_AUDIT))
                      .read_text())  # fmt: skip


def test_one_run_of_the_project_leaves_all_of_it(bench: Bench) -> None:
    done = bench.finish(bench.mlflow("eda", perplexity=10, tsne_rows=400))
    assert done.returncode == 0, done.stdout + done.stderr
    [run] = bench.runs()
    assert run.info.status == "FINISHED"
    assert run.data.params.keys() == Eda.model_fields.keys()
    assert run.data.tags[names.TAG_KIND] == "eda"
    assert "**600 training and 200 test images**" in run.data.tags[names.TAG_NOTE]
    logged = {k: v for k, v in run.data.metrics.items() if not k.startswith("system/")}
    assert logged.keys() > SECONDS
    assert logged[names.TRAIN_ROWS] == 600
    assert np.isfinite(list(logged.values())).all()
    steps = [logged[name] for name in SECONDS - {names.EDA_SECONDS}]
    assert sum(steps) <= logged[names.EDA_SECONDS] <= sum(steps) + 2
    for name in SECONDS:
        assert name in done.stderr
    folder = Path(bench.client.download_artifacts(run.info.run_id, ""))
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == FIGURES | TABLES
    embedding = pd.read_parquet(folder / names.TABLE_EMBEDDING)
    assert embedding["tsne1"].notna().sum() == 400
    contexts = {given.tags[0].value for given in run.inputs.dataset_inputs}
    assert contexts == {"training", "test"}


def test_planted_defects_are_told(
    bench: Bench, changed: Callable[[Callable[[Arrays], None]], Path]
) -> None:
    folder = changed(planted)
    done = bench.finish(bench.python("eda", data_dir=folder, perplexity=10))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    told = audit_of(bench)
    exact = told["exact_duplicates"]
    assert exact["train_rows_equal_to_an_earlier_one"] == [1, 11]
    assert exact["test_rows_equal_to_an_earlier_one"] == [7]
    assert exact["train_rows_equal_to_a_test_row"] == [2, 10, 11]
    assert exact["test_rows_equal_to_a_train_row"] == [5, 20]
    assert told["near_duplicates"]["train_rows"] == [3]
    assert told["splits"]["train"]["blank_rows"] == [10, 11]
    assert told["splits"]["train"]["constant_rows"] == []
    assert 0 in told["constant_train_pixels"]
    note = bench.runs()[0].data.tags[names.TAG_NOTE]
    assert "2 training images are blank (all 0): row 10, 11." in note
    assert "1 test image is blank (all 0): row 20." in note
    assert "2 training images repeat an earlier one" in note
    assert bench.runs()[0].data.metrics[names.LABEL_CONFLICTS] >= 2


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (without_class_four, {"perplexity": 10}, "No training image of class Coat (4)."),
        (one_a_class, {"perplexity": 5}, "**10 training and 10 test images**"),
    ],
)
def test_few_rows_and_missing_classes_are_told(
    bench: Bench,
    changed: Callable[[Callable[[Arrays], None]], Path],
    change: Callable[[Arrays], None],
    options: dict[str, object],
    words: str,
) -> None:
    done = bench.finish(bench.python("eda", data_dir=changed(change), **options))
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    [run] = bench.runs()
    assert words in run.data.tags[names.TAG_NOTE]
    assert "nan" not in run.data.tags[names.TAG_NOTE].lower()
    logged = {k: v for k, v in run.data.metrics.items() if not k.startswith("system/")}
    assert np.isfinite(list(logged.values())).all()


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (None, {"perplexity": 267}, "perplexity=267: wanted at least 802 images"),
        (None, {"tsne_rows": 50}, "perplexity=30: wanted at least 91 images"),
        (None, {"tsne_rows": 801}, "tsne_rows=801: wanted at most 800"),
        (None, {"perplexity": 0}, "perplexity=0"),
        (one_a_class, {}, "got 20; use a perplexity of at most 6 or more images"),
        (all_the_same, {}, "wanted training images that differ, got 600 times the same one"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_run_is_made(
    bench: Bench,
    changed: Callable[[Callable[[Arrays], None]], Path],
    change: Callable[[Arrays], None] | None,
    options: dict[str, object],
    words: str,
) -> None:
    where = {} if change is None else {"data_dir": changed(change)}
    done = bench.finish(bench.python("eda", **where, **options))
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bench.folder / "mlflow.db").exists()


def test_train_leaves_out_duplicates_when_asked(
    bench: Bench, changed: Callable[[Callable[[Arrays], None]], Path]
) -> None:
    folder = changed(planted)
    done = bench.finish(bench.python("train", data_dir=folder, epochs=1, drop_duplicates="on"))
    assert done.returncode == 0, done.stderr
    [run] = bench.runs()
    assert run.data.metrics[names.DROPPED_REPEATS] == 2
    assert run.data.metrics[names.DROPPED_TEST_COPIES] == 2
    assert run.data.metrics[names.DROPPED_NEAR_TEST_COPIES] == 1
    assert run.data.metrics[names.DROPPED_ROWS] == 5
    rows = [
        json.loads(given.dataset.profile)["features_shape"][0]
        for given in run.inputs.dataset_inputs
        if given.tags[0].value != "test"
    ]
    assert sum(rows) == 595
