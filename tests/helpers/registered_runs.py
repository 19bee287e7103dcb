"""Finished runs with a model, as the registry needs them, without training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Metric, Param, RunTag

from fmnist import names
from fmnist.evaluation import tables
from fmnist.options import Train
from fmnist.results.training import CLASSES, Evaluation

MODEL_FILE = b"a model"
DATA = "d" * 32
EXPERIMENT = "0"
VALIDATION = range(1000, 1400)


def predictions(rows: Sequence[int], correct: Sequence[int]) -> Evaluation:
    """Predictions for the rows, correct only for the given ones; row r has the label r mod 10."""
    labels = np.array(rows) % CLASSES
    predicted = np.where(np.isin(rows, correct), labels, (labels + 1) % CLASSES)
    return Evaluation(labels, np.eye(CLASSES, dtype=np.float32)[predicted])


def log_model_run(
    client: MlflowClient,
    folder: Path,
    correct: int | Sequence[int],
    *,
    rows: Sequence[int] = VALIDATION,
    register_as: str = "",
    data: str = DATA,
    status: str = "FINISHED",
    model_status: LoggedModelStatus = LoggedModelStatus.READY,
    missing_bytes: int = 0,
    **options: object,
) -> str:
    """Log a run of `train`, and return its id.

    Args:
        correct: validation rows that are predicted correctly, or how many of the first ones.
        missing_bytes: how many bytes at the end of the model file are lost.
        options: options of `train`.
    """
    chosen = list(rows)[:correct] if isinstance(correct, int) else correct
    run_id = client.create_run(EXPERIMENT, tags={names.TAG_KIND: "train"}).info.run_id
    test = predictions(range(200), range(150))
    metrics = {names.MODEL_BYTES: len(MODEL_FILE), names.PREDICT_MS_PER_IMAGE: 0.5}
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, 0, 0) for name, value in metrics.items()],
        params=[Param(k, v) for k, v in Train(**options).as_text().items()],
        tags=[RunTag(names.TAG_DATA_DIGEST, data), RunTag(names.TAG_MODEL, "lenet5")],
    )
    files = {names.PREDICTIONS_TEST: tables.predictions_parquet(test)}
    if len(rows):
        validation = predictions(rows, chosen)
        files[names.PREDICTIONS_VALIDATION] = tables.predictions_parquet(validation, np.array(rows))
    _log_files(client, run_id, folder / run_id, files)

    model = client.create_logged_model(EXPERIMENT, "model", source_run_id=run_id)
    data_folder = folder / run_id / "model" / "data"
    data_folder.mkdir(parents=True)
    (data_folder / "model.keras").write_bytes(MODEL_FILE[missing_bytes:])
    client.log_model_artifacts(model.model_id, str(data_folder.parent))
    client.finalize_logged_model(model.model_id, model_status)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 1)])
    client.set_terminated(run_id, status)
    if register_as:
        if not client.search_registered_models(f"name='{register_as}'"):
            client.create_registered_model(register_as)
        client.create_model_version(register_as, f"models:/{model.model_id}", run_id)
    return run_id


def log_crossval_predictions(
    client: MlflowClient, folder: Path, results: bytes, params: dict[str, str]
) -> None:
    """Log a finished cross-validation with this table of out-of-fold predictions."""
    tags = {names.TAG_KIND: "crossval", names.TAG_DATA_DIGEST: DATA}
    run_id = client.create_run(EXPERIMENT, tags=tags).info.run_id
    client.log_batch(run_id, params=[Param(k, v) for k, v in params.items()])
    _log_files(client, run_id, folder / run_id, {names.PREDICTIONS_OUT_OF_FOLD: results})
    client.set_terminated(run_id)


def aliases(client: MlflowClient, name: str) -> dict[str, int]:
    """The version of each alias."""
    return {alias: int(v) for alias, v in client.get_registered_model(name).aliases.items()}


def _log_files(client: MlflowClient, run_id: str, folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    client.log_artifacts(run_id, str(folder / "run"))
