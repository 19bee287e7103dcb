"""Data lineage: which rows of which files a run has used."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from mlflow.data.numpy_dataset import from_numpy

from fmnist.tracking.run import Run

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]


def log_inputs(run: Run, digest: str, parts: Mapping[str, Arrays]) -> None:
    """Record the rows of each context (training, validation, test) as inputs of the run.

    Args:
        digest: of the whole data set; MLflow's own would see the first 12 images only.
        parts: (images (n, 28, 28) uint8, labels (n,) uint8) by context.
    """
    inputs = []
    for context, (images, labels) in parts.items():
        # A store keeps one input of a run for each (name, digest), so each context has a name.
        name = f"fashion-mnist-{context}"
        dataset = from_numpy(images, targets=labels, name=name, digest=digest)
        inputs.append({"context": context, "dataset": dataset.to_dict()})
    run.log_inputs(inputs)
