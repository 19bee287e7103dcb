"""The load of the machine while a run is open, as metrics under `system/`."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from fmnist import names

_SECONDS: Final = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"
_DEFAULT_SECONDS: Final = 10.0


class SystemMetrics:
    """Measures every ten seconds, in a thread of its own.

    MLflow's own monitor stops for good when the server fails once, and what it measured is lost.
    """

    def __init__(self, tell: Callable[[int, Mapping[str, float]], None], first_step: int) -> None:
        self._tell = tell
        self._step = first_step
        kinds: list[Any] = [CPUMonitor, DiskMonitor, NetworkMonitor, GPUMonitor]
        self._monitors = []
        for kind in kinds:
            with suppress(Exception):  # no such card, driver or package: it raises many things
                self._monitors.append(kind())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="machine", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._thread.join()

    def _measure(self) -> None:
        seconds = float(os.environ.get(_SECONDS) or _DEFAULT_SECONDS)
        while True:
            for monitor in self._monitors:
                monitor.collect_metrics()
            if self._stop.wait(seconds):
                return
            told = {
                f"{names.MACHINE}{name}": value
                for monitor in self._monitors
                for name, value in monitor.aggregate_metrics().items()
            }
            try:
                self._tell(self._step, told)
            except Exception as error:  # whoever does the work will hear of it too
                print(f"tracking: the machine's load is told no more: {error}", file=sys.stderr)
                return
            self._step += 1
            for monitor in self._monitors:
                monitor.clear_metrics()


def steps_before(client: MlflowClient, run: Run) -> int:
    """How often the machine's load was told of the run by earlier processes."""
    told = [name for name in run.data.metrics if name.startswith(names.MACHINE)]
    return len(client.get_metric_history(run.info.run_id, told[0])) if told else 0
