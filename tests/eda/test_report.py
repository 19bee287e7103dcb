"""Every number that an exploration tells, worked out again by other means."""

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
from fmnist.results.eda import Exploration


@pytest.fixture(scope="module")
def files(explored: Exploration) -> dict[str, bytes]:
    return report.files(explored)


def same_label(points, labels) -> float:
    found = NearestNeighbors(n_neighbors=10).fit(points).kneighbors(return_distance=False)
    return float((labels[found] == labels[:, None]).mean())


def test_metrics_agree_with_other_libraries(explored: Exploration) -> None:
    number = report.metrics(explored)
    train, test = explored.images[:600].astype(float), explored.images[600:].astype(float)
    flat = train.reshape(600, 784)
    ratios = np.cumsum(PCA().fit(flat).explained_variance_ratio_)
    table = np.corrcoef(flat.T)
    beside = [(28 * r + c, 28 * r + c + 1) for r in range(28) for c in range(27)]
    below = [(28 * r + c, 28 * r + c + 28) for r in range(27) for c in range(28)]
    points, rows = explored.layout.points, explored.laid_out
    pixels = explored.images[rows].reshape(300, 784).astype(float)
    wanted = {
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
        names.ADJACENT_CORRELATION: np.mean([table[pair] for pair in beside + below]),
        names.TSNE_TRUSTWORTHINESS: trustworthiness(pixels, points, n_neighbors=10),
        names.AGREEMENT_TSNE: same_label(points, explored.labels[rows]),
        names.AGREEMENT_PIXELS: same_label(pixels, explored.labels[rows]),
    }
    assert {name: number[name] for name in wanted} == pytest.approx(wanted, rel=1e-6)
    assert all(np.isfinite(value) for value in number.values())


def test_the_note_says_what_the_metrics_say(explored: Exploration) -> None:
    note, number = report.note(explored), report.metrics(explored)
    assert "**600 training and 200 test images**" in note
    assert f"mean {number[names.PIXEL_MEAN]:.3f}" in note
    assert f"hold {number[names.PCA_SHARE_2]:.1%} of the variance" in note
    assert f"{number[names.PCA_COMPONENTS_90]} components hold 90 %" in note
    assert f"KL divergence {number[names.TSNE_KL]:.3f}" in note
    assert f"{number[names.AGREEMENT_TSNE]:.1%} have the same label in the plane" in note
    assert "No image is blank or constant" in note
    assert "No image occurs twice" in note
    assert not re.search(r"\bnan\b", note, re.IGNORECASE)


def test_the_audit_is_strict_json_with_the_numbers(
    explored: Exploration, files: dict[str, bytes]
) -> None:
    told = json.loads(files[names.TABLE_AUDIT], parse_constant=pytest.fail)
    assert told["metrics"] == pytest.approx(report.metrics(explored))
    assert [c["images"] for c in told["splits"]["train"]["classes"]] == [60] * 10
    assert told["sample_rows"]["Bag"] == explored.samples[8]
    assert told["findings"] == report.sentences(explored)


def test_the_embedding_has_every_image_and_a_place_where_laid_out(
    explored: Exploration, files: dict[str, bytes]
) -> None:
    table = pd.read_parquet(io.BytesIO(files[names.TABLE_EMBEDDING]))
    columns = ["split", "index", "label", "pca1", "pca2", "tsne1", "tsne2"]
    assert table.columns.tolist() == columns
    assert table["split"].tolist() == ["train"] * 600 + ["test"] * 200
    assert table["index"].tolist() == [*range(600), *range(200)]
    assert table["label"].tolist() == explored.labels.tolist()
    laid_out = table["tsne1"].notna()
    assert np.flatnonzero(laid_out).tolist() == explored.laid_out.tolist()
    points = table.loc[laid_out, ["tsne1", "tsne2"]].to_numpy()
    assert np.array_equal(points, explored.layout.points)
    train = explored.images[:600].reshape(600, 784).astype(float)
    scores = (
        PCA(2, svd_solver="full")
        .fit(train)
        .transform(explored.images.reshape(800, 784).astype(float))
    )
    found = table[["pca1", "pca2"]].to_numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(scores), atol=0.05)


def test_tables_hold_what_the_figures_show(explored: Exploration, files: dict[str, bytes]) -> None:
    csv = {n: pd.read_csv(io.BytesIO(c)) for n, c in files.items() if n.endswith(".csv")}
    variance = csv[names.TABLE_PCA_VARIANCE]
    assert variance["cumulative"].iloc[-1] == pytest.approx(1)
    intensity = csv[names.TABLE_PIXEL_INTENSITY]
    of_it = intensity.query("split == 'test' and label == 3")
    images = explored.images[600:][explored.labels[600:] == 3]
    assert of_it["pixels"].tolist() == np.bincount(images.ravel(), minlength=256).tolist()
    assert len(csv[names.TABLE_NEAR_DUPLICATES]) == 0
    assert csv[names.TABLE_TSNE]["kl_divergence"].iloc[-1] == explored.layout.divergence
    table = pd.read_parquet(io.BytesIO(files[names.TABLE_CORRELATION])).to_numpy()
    wanted = np.corrcoef(explored.images[:600].reshape(600, 784).T)
    np.testing.assert_allclose(table, wanted, atol=1e-6)
    class_images = pd.read_parquet(io.BytesIO(files[names.TABLE_CLASS_IMAGES]))
    assert len(class_images) == 7840
    for name, content in files.items():
        if name.endswith(".png"):
            assert content[:4] == b"\x89PNG"
