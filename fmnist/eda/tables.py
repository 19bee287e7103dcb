"""Tables with the numbers behind the figures, as CSV, Parquet and JSON files."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fmnist import names
from fmnist.data.duplicates import MAX_DIFFERENCE, MIN_SIMILARITY
from fmnist.eda.embedding import summarize_by_distance
from fmnist.results.eda import VALUES, Exploration, SplitAudit, pixel_mean, pixel_std


def files(
    result: Exploration, metrics: Mapping[str, float], findings: Sequence[str]
) -> dict[str, bytes]:
    """Return all tables by artifact name."""
    pixels, classes = len(result.correlations), len(result.class_names)
    variance = result.explained_variance
    parquet = {
        names.TABLE_EMBEDDING: _embedding_table(result),
        names.TABLE_CLASS_IMAGES: pd.DataFrame(
            {
                "label": np.repeat(np.arange(classes), pixels),
                "pixel": np.tile(np.arange(pixels), classes),
                "mean": result.class_means.ravel(),
                "std": result.class_stds.ravel(),
            }
        ),
        names.TABLE_CORRELATION: pd.DataFrame(
            result.correlations.astype(np.float32),
            columns=[f"pixel{pixel}" for pixel in range(pixels)],
        ),
    }
    csv = {
        names.TABLE_PIXEL_INTENSITY: pd.concat(
            [_intensity_table("train", result.train), _intensity_table("test", result.test)]
        ),
        names.TABLE_CORRELATION_DISTANCE: summarize_by_distance(result.correlations),
        names.TABLE_PCA_VARIANCE: pd.DataFrame(
            {
                "component": np.arange(1, len(variance) + 1),
                "share": variance,
                "cumulative": np.cumsum(variance),
            }
        ),
        names.TABLE_NEAR_DUPLICATES: result.near.pairs,
    }
    return (
        {names.TABLE_AUDIT: _audit_json(result, metrics, findings)}
        | {name: table.to_parquet(index=False) for name, table in parquet.items()}
        | {name: table.to_csv(index=False).encode() for name, table in csv.items()}
    )


def _embedding_table(result: Exploration) -> pd.DataFrame:
    """Return one row per image; tsne1 and tsne2 are missing for images outside the embedding."""
    points = np.full((len(result.labels), 2), np.nan, np.float32)
    points[result.tsne_rows] = result.embedding.points
    counts = result.train.rows, result.test.rows
    return pd.DataFrame(
        {
            "split": np.repeat(["train", "test"], counts),
            "index": np.concatenate([np.arange(count) for count in counts]),
            "label": result.labels,
            "pca1": result.scores[:, 0],
            "pca2": result.scores[:, 1],
            "tsne1": points[:, 0],
            "tsne2": points[:, 1],
        }
    )


def _audit_json(
    result: Exploration, metrics: Mapping[str, float], findings: Sequence[str]
) -> bytes:
    exact, pairs = result.exact, result.near.pairs
    content = {
        "findings": list(findings),
        "format": "one unsigned byte per pixel, which cannot represent a missing value",
        "data_digest": result.digest,
        "image_shape": list(result.images.shape[1:]),
        "class_names": list(result.class_names),
        "splits": {
            "train": _split_json(result.train, result.class_names),
            "test": _split_json(result.test, result.class_names),
        },
        "exact_duplicates": {
            "train_rows_equal_to_an_earlier_one": exact.train.tolist(),
            "test_rows_equal_to_an_earlier_one": exact.test.tolist(),
            "train_rows_equal_to_a_test_row": exact.train_in_test.tolist(),
            "test_rows_equal_to_a_train_row": exact.test_in_train.tolist(),
            "rows_with_conflicting_labels": exact.label_conflicts,
        },
        "near_duplicates": {
            "structural_similarity_at_least": MIN_SIMILARITY,
            "squared_difference_at_most": MAX_DIFFERENCE,
            "pairs_compared": result.near.pairs_compared,
            "pairs": len(pairs),
            "test_rows": np.unique(pairs["test_index"]).tolist(),
            "train_rows": np.unique(pairs["train_index"]).tolist(),
        },
        "constant_train_pixels": result.constant_pixels.tolist(),
        "sample_rows": {result.class_names[label]: rows for label, rows in result.samples.items()},
        "metrics": {names.column_name(name): value for name, value in metrics.items()},
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False).encode()


def _split_json(split: SplitAudit, class_names: Sequence[str]) -> dict[str, Any]:
    low, high = split.extremes
    classes = []
    for label, counts in enumerate(split.histogram):
        images = int(split.class_counts[label])
        classes.append(
            {
                "label": label,
                "name": class_names[label],
                "images": images,
                "pixel_mean": pixel_mean(counts) if images else None,
                "pixel_std": pixel_std(counts) if images else None,
                "zero_share": float(counts[0] / counts.sum()) if images else None,
            }
        )
    return {
        "rows": split.rows,
        "pixel_mean": split.mean,
        "pixel_std": split.std,
        "pixel_min": low,
        "pixel_max": high,
        "class_imbalance": split.imbalance,
        "missing_classes": split.missing_classes,
        "blank_rows": split.blank.tolist(),
        "constant_rows": split.constant.tolist(),
        "classes": classes,
    }


def _intensity_table(name: str, split: SplitAudit) -> pd.DataFrame:
    classes = len(split.class_counts)
    return pd.DataFrame(
        {
            "split": name,
            "label": np.repeat(np.arange(classes), VALUES),
            "value": np.tile(np.arange(VALUES), classes),
            "pixels": split.histogram.ravel(),
        }
    )
