"""Metrics, description and tables agree with each other and with other libraries."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from fmnist import names
from fmnist.eda import report
from fmnist.evaluation import tables
from fmnist.results.eda import Exploration


@pytest.fixture(scope="module")
def files(explored: Exploration) -> dict[str, bytes]:
    return report.files(explored)


@pytest.fixture(scope="module")
def pca(explored: Exploration) -> PCA:
    return PCA(svd_solver="full").fit(explored.images[:600].reshape(600, 784).astype(float))


def label_agreement(points: np.ndarray, labels: np.ndarray) -> float:
    neighbors = NearestNeighbors(n_neighbors=10).fit(points).kneighbors(return_distance=False)
    return float((labels[neighbors] == labels[:, None]).mean())


def test_metrics_agree_with_other_libraries(explored: Exploration, pca: PCA) -> None:
    metrics = report.metrics(explored)
    train, test = explored.images[:600].astype(float), explored.images[600:].astype(float)
    ratios = np.cumsum(pca.explained_variance_ratio_)
    correlations = np.corrcoef(train.reshape(600, 784).T)
    horizontal = [(28 * r + c, 28 * r + c + 1) for r in range(28) for c in range(27)]
    vertical = [(28 * r + c, 28 * r + c + 28) for r in range(27) for c in range(28)]
    points, rows = explored.embedding.points, explored.tsne_rows
    pixels = explored.images[rows].reshape(300, 784).astype(float)
    expected = {
        names.TRAIN_ROWS: 600,
        names.TEST_ROWS: 200,
        names.PIXEL_MEAN: train.mean(),
        names.PIXEL_STD: train.std(),
        names.TEST_PIXEL_MEAN: test.mean(),
        names.TEST_PIXEL_STD: test.std(),
        names.PCA_SHARE_2: ratios[1],
        names.PCA_COMPONENTS_90: int((ratios < 0.9).sum()) + 1,
        names.PCA_COMPONENTS_95: int((ratios < 0.95).sum()) + 1,
        names.PCA_COMPONENTS_99: int((ratios < 0.99).sum()) + 1,
        names.ADJACENT_CORRELATION: np.mean([correlations[p] for p in horizontal + vertical]),
        names.TSNE_TRUSTWORTHINESS: trustworthiness(pixels, points, n_neighbors=10),
        names.AGREEMENT_TSNE: label_agreement(points, explored.labels[rows]),
        names.AGREEMENT_PIXELS: label_agreement(pixels, explored.labels[rows]),
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert all(np.isfinite(value) for value in metrics.values())


def test_description_has_the_metrics(explored: Exploration) -> None:
    text, metrics = report.describe(explored), report.metrics(explored)
    for fact in (
        "**600 training and 200 test images**",
        f"mean {metrics[names.PIXEL_MEAN]:.3f}",
        f"explain {100 * metrics[names.PCA_SHARE_2]:.1f} %",
        f"{metrics[names.PCA_COMPONENTS_90]} explain 90 %",
        f"KL divergence {metrics[names.TSNE_KL]:.3f}",
        f"{100 * metrics[names.AGREEMENT_TSNE]:.1f} % have the same label in the embedding",
        "No image is blank or constant",
        "no exact duplicates",
    ):
        assert fact in text
    assert not re.search(r"\bnan\b", text, re.IGNORECASE)


def test_audit_is_strict_json(explored: Exploration, files: dict[str, bytes]) -> None:
    audit = json.loads(files[names.TABLE_AUDIT], parse_constant=pytest.fail)
    expected = tables.to_columns(report.metrics(explored))
    assert audit["metrics"] == pytest.approx(expected)
    assert [c["images"] for c in audit["splits"]["train"]["classes"]] == [60] * 10
    bags = explored.images[600:][explored.labels[600:] == 8]
    statistics = audit["splits"]["test"]["classes"][8]
    assert statistics["pixel_mean"] == pytest.approx(bags.mean())
    assert statistics["pixel_std"] == pytest.approx(bags.std())
    assert statistics["zero_share"] == pytest.approx((bags == 0).mean())
    assert audit["sample_rows"]["8"] == explored.samples[8]
    assert audit["findings"] == report.findings(explored)


def test_embedding_table_has_a_row_for_each_image(
    explored: Exploration, files: dict[str, bytes], pca: PCA
) -> None:
    table = pd.read_parquet(io.BytesIO(files[names.TABLE_EMBEDDING]))
    columns = ["split", "index", "label", "pca1", "pca2", "tsne1", "tsne2"]
    assert table.columns.tolist() == columns
    assert table["split"].tolist() == ["train"] * 600 + ["test"] * 200
    assert table["index"].tolist() == [*range(600), *range(200)]
    assert table["label"].tolist() == explored.labels.tolist()
    embedded = table["tsne1"].notna()
    assert np.flatnonzero(embedded).tolist() == explored.tsne_rows.tolist()
    points = table.loc[embedded, ["tsne1", "tsne2"]].to_numpy()
    assert np.array_equal(points, explored.embedding.points)
    scores = pca.transform(explored.images.reshape(800, 784).astype(float))[:, :2]
    np.testing.assert_allclose(table[["pca1", "pca2"]].to_numpy(), scores, atol=0.05)


def test_tables_have_the_data_of_the_figures(
    explored: Exploration, files: dict[str, bytes]
) -> None:
    csv = {n: pd.read_csv(io.BytesIO(c)) for n, c in files.items() if n.endswith(".csv")}
    variance = csv[names.TABLE_PCA_VARIANCE]
    assert variance["cumulative"].iloc[-1] == pytest.approx(1)
    intensity = csv[names.TABLE_PIXEL_INTENSITY].query("split == 'test' and label == 3")
    images = explored.images[600:][explored.labels[600:] == 3]
    assert intensity["pixels"].tolist() == np.bincount(images.ravel(), minlength=256).tolist()
    assert len(csv[names.TABLE_NEAR_DUPLICATES]) == 0
    correlations = pd.read_parquet(io.BytesIO(files[names.TABLE_CORRELATION])).to_numpy()
    expected = np.corrcoef(explored.images[:600].reshape(600, 784).T)
    np.testing.assert_allclose(correlations, expected, atol=1e-6)
    assert len(pd.read_parquet(io.BytesIO(files[names.TABLE_CLASS_IMAGES]))) == 7840
    for name, content in files.items():
        if name.endswith(".png"):
            assert content[:4] == b"\x89PNG"
