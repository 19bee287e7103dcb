"""What `eda` leaves behind, what it refuses, and `train` without duplicates."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmnist import names
from fmnist.data import files, idx
from fmnist.options import Eda
from tests.entrypoints.conftest import Bench

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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"perplexity": 267}, "perplexity=267: wanted at least 802 images"),
        ({"perplexity": 0}, "perplexity=0"),
    ],
)
def test_what_cannot_be_done_is_refused_before_a_run_is_made(
    bench: Bench, options: dict[str, object], words: str
) -> None:
    done = bench.finish(bench.python("eda", **options))
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (bench.folder / "mlflow.db").exists()


def test_train_leaves_out_duplicates_when_asked(
    bench: Bench, small_data_dir: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(small_data_dir, tmp_path / "planted")
    train = folder / f"{files.TRAIN_IMAGES}.gz"
    images = idx.read_images(train).copy()
    test = idx.read_images(folder / f"{files.TEST_IMAGES}.gz")
    images[1], images[2], images[3] = images[0], test[5], test[9] ^ 1
    train.write_bytes(gzip.compress(idx.encode(images)))

    done = bench.finish(bench.python("train", data_dir=folder, epochs=1, drop_duplicates="on"))
    assert done.returncode == 0, done.stderr
    [run] = bench.runs()
    assert run.data.params["drop_duplicates"] == "on"
    counts = {k: v for k, v in run.data.metrics.items() if k.startswith("dropped_")}
    assert counts == {
        names.DROPPED_ROWS: 3,
        names.DROPPED_REPEATS: 1,
        names.DROPPED_TEST_COPIES: 1,
        names.DROPPED_NEAR_TEST_COPIES: 1,
    }
    used = {
        given.tags[0].value: json.loads(given.dataset.profile)["features_shape"][0]
        for given in run.inputs.dataset_inputs
    }
    assert used == {"training": 537, "validation": 60, "test": 200}
