"""Delivery of records in a thread, without a server."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from fmnist import names
from fmnist.tracking.offline.journal import Journal, RunRef
from fmnist.tracking.offline.queue import Queue


class RejectingDelivery:
    """Rejects every record with status 400."""

    def deliver(self, body: object, files: Path) -> None:
        raise MlflowException("invalid value", error_code=INVALID_PARAMETER_VALUE)


@pytest.mark.faults
def test_rejection_is_raised_in_each_thread(tmp_path: Path, monkeypatch) -> None:
    """The thread that logs system metrics must not hide a rejection from the main thread."""
    monkeypatch.setenv(names.JOURNAL_DIR, str(tmp_path))
    queue = Queue(Journal.create(RunRef("http://server.example", "f00")), RejectingDelivery())
    queue.put("tags", tags={})
    while not queue._rejection:
        time.sleep(0.01)
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(MlflowException, match="invalid value"),
    ):
        pool.submit(queue.put, "metrics", metrics=[]).result()
    with pytest.raises(MlflowException, match="invalid value"):
        queue.put("metrics", metrics=[])
    queue.put("end", status="FAILED", time=1)
    queue.close()
