"""What a run of `eda` contains, and `train` without duplicates."""

import gzip
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fmnist import names
from fmnist.data import idx
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.workspace import Workspace

FIGURES = {
    names.FIGURE_CLASS_BALANCE, names.FIGURE_SAMPLES, names.FIGURE_MEAN_IMAGES,
    names.FIGURE_PIXEL_INTENSITY, names.FIGURE_CORRELATION, names.FIGURE_TSNE, names.FIGURE_PCA,
    names.FIGURE_PCA_VARIANCE, names.FIGURE_NEAR_DUPLICATES,
}  # fmt: skip
TABLES = {
    names.TABLE_AUDIT, names.TABLE_EMBEDDING, names.TABLE_PIXEL_INTENSITY,
    names.TABLE_CLASS_IMAGES, names.TABLE_CORRELATION, names.TABLE_CORRELATION_DISTANCE,
    names.TABLE_PCA_VARIANCE, names.TABLE_NEAR_DUPLICATES,
}  # fmt: skip
TIMINGS = {
    names.AUDIT_SECONDS, names.DUPLICATES_SECONDS, names.CORRELATION_PCA_SECONDS,
    names.NEAR_DUPLICATES_SECONDS, names.TSNE_SECONDS,
    names.QUALITY_SECONDS, names.FIGURES_SECONDS, names.EDA_SECONDS,
}  # fmt: skip


def test_run_contains_figures_tables_and_timings(project_runs: ProjectRuns) -> None:
    eda_run = project_runs.get("eda")
    _, run, printed = eda_run
    assert run.data.tags[names.TAG_KIND] == "eda"
    assert "600 training and 200 test images" in run.data.tags[names.TAG_NOTE]
    metrics = eda_run.metrics
    assert metrics.keys() > TIMINGS
    assert metrics[names.TRAIN_ROWS] == 600
    assert np.isfinite(list(metrics.values())).all()
    assert sum(metrics[n] for n in TIMINGS - {names.EDA_SECONDS}) <= metrics[names.EDA_SECONDS]
    steps = ("audit", "correlation and PCA", "near-duplicates", "t-SNE", "figures", "total")
    assert all(re.search(rf"^{step} +\d+\.\d s$", printed, re.MULTILINE) for step in steps)
    artifacts = eda_run.artifacts()
    assert artifacts.keys() == FIGURES | TABLES
    embedding = pd.read_parquet(io.BytesIO(artifacts[names.TABLE_EMBEDDING]))
    assert embedding["tsne1"].notna().sum() == 300
    contexts = {one.tags[0].value for one in run.inputs.dataset_inputs}
    assert contexts == {"training", "test"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"perplexity": 267}, "perplexity=267: expected at least 802 images"),
        ({"perplexity": 0}, "perplexity=0"),
    ],
)
def test_impossible_perplexity_is_rejected_before_a_run_is_created(
    call: Callable, options: dict[str, object], message: str
) -> None:
    done = call("eda", **options)
    assert done.code == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("mlflow.db").exists()


def test_train_drops_duplicates(
    workspace: Workspace, call: Callable, tmp_path: Path, tensorflow: None
) -> None:
    folder = shutil.copytree(workspace.data_dir, tmp_path / "duplicates")
    train = folder / f"{idx.TRAIN_IMAGES}.gz"
    images = idx.read_images(train).copy()
    test = idx.read_images(folder / f"{idx.TEST_IMAGES}.gz")
    images[1], images[2], images[3] = images[0], test[5], test[9] ^ 1
    train.write_bytes(gzip.compress(idx.encode(images)))

    done = call("train", data_dir=folder, epochs=1, drop_duplicates="on")
    assert done.code == 0, done.stderr
    [run] = workspace.runs()
    assert run.data.params["drop_duplicates"] == "on"
    counts = {k: v for k, v in run.data.metrics.items() if k.startswith("data/")}
    assert counts == {
        names.DROPPED_ROWS: 3,
        names.DROPPED_REPEATS: 1,
        names.DROPPED_TEST_COPIES: 1,
        names.DROPPED_NEAR_TEST_COPIES: 1,
    }
    rows = {
        one.tags[0].value: json.loads(one.dataset.profile)["features_shape"][0]
        for one in run.inputs.dataset_inputs
    }
    assert rows == {"training": 537, "validation": 60, "test": 200}
