"""The numbers behind an exploration's figures, as files that other programs read."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from fmnist import names
from fmnist.results.eda import VALUES, Exploration, SplitAudit
from fmnist.results.training import CLASSES


def files(
    found: Exploration, metrics: Mapping[str, float], sentences: Sequence[str]
) -> dict[str, bytes]:
    """The tables of the run, by their artifact names."""
    shares = found.shares
    distance = found.by_distance
    return {
        names.TABLE_AUDIT: _audit(found, metrics, sentences),
        names.TABLE_EMBEDDING: _parquet(embedding(found)),
        names.TABLE_PIXEL_INTENSITY: _csv(_intensity(found)),
        names.TABLE_CLASS_IMAGES: _parquet(_class_images(found)),
        names.TABLE_CORRELATION: _parquet(
            pd.DataFrame(
                found.correlations.astype(np.float32),
                columns=[f"pixel{at}" for at in range(len(found.correlations))],
            )
        ),
        names.TABLE_CORRELATION_DISTANCE: _csv(
            pd.DataFrame(
                {
                    "distance": distance.distances,
                    "mean": distance.means,
                    "lower_quartile": distance.lower,
                    "upper_quartile": distance.upper,
                    "pairs": distance.pairs,
                }
            )
        ),
        names.TABLE_PCA_VARIANCE: _csv(
            pd.DataFrame(
                {
                    "component": np.arange(1, len(shares) + 1),
                    "share": shares,
                    "cumulative": np.cumsum(shares),
                }
            )
        ),
        names.TABLE_NEAR_DUPLICATES: _csv(_near_duplicates(found)),
        names.TABLE_TSNE: _csv(
            pd.DataFrame(found.layout.divergences, columns=["iteration", "kl_divergence"])
        ),
    }


def embedding(found: Exploration) -> pd.DataFrame:
    """One line an image: split, index (row in its file), label, pca1, pca2, tsne1, tsne2.

    The last two are missing (null) for images that t-SNE did not lay out.
    """
    counts = found.train.rows, found.test.rows
    table = pd.DataFrame(
        {
            "split": np.repeat(["train", "test"], counts),
            "index": np.concatenate([np.arange(count) for count in counts]),
            "label": found.labels,
            "pca1": found.scores[:, 0],
            "pca2": found.scores[:, 1],
        }
    )
    points = np.full((len(table), 2), np.nan, np.float32)
    points[found.laid_out] = found.layout.points
    return table.assign(tsne1=points[:, 0], tsne2=points[:, 1])


def _audit(found: Exploration, metrics: Mapping[str, float], sentences: Sequence[str]) -> bytes:
    repeats, near = found.repeats, found.near
    content = {
        "findings": list(sentences),
        "format": "idx, one unsigned byte a pixel; such a file cannot hold missing values",
        "data_digest": found.digest,
        "image_shape": list(found.images.shape[1:]),
        "class_names": list(found.class_names),
        "splits": {
            "train": _split(found.train, found.class_names),
            "test": _split(found.test, found.class_names),
        },
        "exact_duplicates": {
            "train_rows_equal_to_an_earlier_one": repeats.train.tolist(),
            "test_rows_equal_to_an_earlier_one": repeats.test.tolist(),
            "train_rows_equal_to_a_test_row": repeats.leaked.tolist(),
            "test_rows_equal_to_a_train_row": repeats.shown.tolist(),
            "rows_with_conflicting_labels": repeats.conflicting,
        },
        "near_duplicates": {
            "structural_similarity_at_least": near.similarity,
            "squared_difference_at_most": near.difference,
            "pairs_compared": near.candidates,
            "pairs": len(near),
            "test_rows": np.unique(near.test).tolist(),
            "train_rows": np.unique(near.train).tolist(),
        },
        "constant_train_pixels": found.constant_pixels.tolist(),
        "sample_rows": {found.class_names[label]: rows for label, rows in found.samples.items()},
        "metrics": dict(metrics),
    }
    return json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False).encode()


def _split(found: SplitAudit, class_names: Sequence[str]) -> dict[str, Any]:
    low, high = found.extremes
    return {
        "rows": found.rows,
        "pixel_mean": found.mean,
        "pixel_std": found.std,
        "pixel_min": low,
        "pixel_max": high,
        "class_imbalance": found.imbalance,
        "missing_classes": list(found.missing_classes),
        "blank_rows": found.blank.tolist(),
        "constant_rows": found.constant.tolist(),
        "classes": [
            {"label": label, "name": class_names[label], **found.of_class(label)}
            for label in range(CLASSES)
        ],
    }


def _intensity(found: Exploration) -> pd.DataFrame:
    """How many pixels of each class in each split have each value."""
    rows = [
        pd.DataFrame(
            {
                "split": split,
                "label": np.repeat(np.arange(CLASSES), VALUES),
                "value": np.tile(np.arange(VALUES), CLASSES),
                "pixels": of_split.histogram.ravel(),
            }
        )
        for split, of_split in (("train", found.train), ("test", found.test))
    ]
    return pd.concat(rows, ignore_index=True)


def _class_images(found: Exploration) -> pd.DataFrame:
    """Mean and standard deviation of each pixel of each class; null for a class without images."""
    pixels = len(found.correlations)
    return pd.DataFrame(
        {
            "label": np.repeat(np.arange(CLASSES), pixels),
            "pixel": np.tile(np.arange(pixels), CLASSES),
            "mean": found.class_images.means.ravel(),
            "std": found.class_images.stds.ravel(),
        }
    )


def _near_duplicates(found: Exploration) -> pd.DataFrame:
    near = found.near
    test_labels, train_labels = found.near_labels()
    return pd.DataFrame(
        {
            "test_index": near.test,
            "train_index": near.train,
            "test_label": test_labels,
            "train_label": train_labels,
            "structural_similarity": near.similarities,
        }
    )


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()
