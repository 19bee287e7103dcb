"""What a run of `eda` contains."""

import re

import numpy as np

from fmnist import names
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.workspace import read_table

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
    embedding = read_table(artifacts, names.TABLE_EMBEDDING)
    assert embedding["tsne1"].notna().sum() == 300
    contexts = {one.tags[0].value for one in run.inputs.dataset_inputs}
    assert contexts == {"training", "test"}
