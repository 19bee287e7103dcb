"""Dataset inputs of runs: the rows that a run used, and which metrics were measured on them."""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from mlflow.data.dataset_source_registry import get_dataset_source_from_json
from mlflow.data.numpy_dataset import from_numpy
from mlflow.entities import Dataset, DatasetInput, InputTag, Run
from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT


class LabeledImages(Protocol):
    """Images (n, 28, 28) uint8 with labels (n,) uint8, such as `data.dataset.Split`."""

    @property
    def images(self) -> npt.NDArray[np.uint8]: ...

    @property
    def labels(self) -> npt.NDArray[np.uint8]: ...


# The rows that metrics with these prefixes are measured on.
_CONTEXTS: Final = {
    "train_": "training",
    "val_": "validation",
    "best_": "validation",
    "test_": "test",
    "tta/": "test",
}


def describe_inputs(splits: Mapping[str, LabeledImages], source: str) -> list[dict[str, Any]]:
    """Describe the rows that a run uses, as values that JSON can represent.

    A store keeps the first dataset with a name and digest and ignores later ones, so the digest is
    that of these rows. MLflow's own covers the first 12 images only.

    Args:
        splits: by context.
        source: directory of the files.
    """
    # For a plain path, MLflow warns that two of its classes match.
    local, name = (
        get_dataset_source_from_json(json.dumps({"uri": source}), "local"),
        Path(source).name,
    )
    descriptions = []
    for context, split in splits.items():
        hashed = blake2b(np.ascontiguousarray(split.images).data, digest_size=16)
        hashed.update(np.ascontiguousarray(split.labels).data)
        dataset = from_numpy(
            split.images,
            local,
            targets=split.labels,
            name=f"{name}-{context}",
            digest=hashed.hexdigest(),
        ).to_dict()
        # The UI shows these two numbers.
        counts = {"num_rows": len(split.labels), "num_elements": split.images.size}
        dataset["profile"] = json.dumps({**json.loads(dataset["profile"]), **counts})
        descriptions.append({"context": context, "dataset": dataset})
    return descriptions


def to_dataset_input(description: Mapping[str, Any]) -> DatasetInput:
    """Convert an element of `describe_inputs`."""
    context = InputTag(MLFLOW_DATASET_CONTEXT, description["context"])
    return DatasetInput(Dataset(**description["dataset"]), [context])


def find_dataset(metric: str, run: Run) -> tuple[str, str] | tuple[None, None]:
    """Return name and digest of the run's input that the metric was measured on, if any."""
    context = next((c for prefix, c in _CONTEXTS.items() if metric.startswith(prefix)), None)
    for each in run.inputs.dataset_inputs if run.inputs else []:
        if context in [tag.value for tag in each.tags if tag.key == MLFLOW_DATASET_CONTEXT]:
            return each.dataset.name, each.dataset.digest
    return None, None
