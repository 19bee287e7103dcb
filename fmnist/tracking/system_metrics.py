"""CPU, memory, disk, network and GPU use while a run is open, as metrics under `system/`."""

import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from mlflow.entities import Run
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from fmnist import names

_INTERVAL: Final = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"  # MLflow's setting, in seconds
_DEFAULT_SECONDS: Final = 10.0


class SystemMetrics:
    """Logs system metrics every ten seconds in a thread, during a `with` block.

    MLflow's own monitor stops for good, and loses its values, when the server fails once.
    """

    def __init__(self, log: Callable[[int, Mapping[str, float]], None], first_step: int) -> None:
        self._log = log
        self._step = first_step
        monitors: list[Any] = [CPUMonitor, DiskMonitor, NetworkMonitor, GPUMonitor]
        self._monitors = []
        for monitor in monitors:
            with suppress(Exception):  # without such a device, driver or package
                self._monitors.append(monitor())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._measure, name="system metrics", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *raised: object) -> None:
        self._stop.set()
        self._thread.join()

    def _measure(self) -> None:
        interval = float(os.environ.get(_INTERVAL) or _DEFAULT_SECONDS)
        while True:
            for monitor in self._monitors:
                monitor.collect_metrics()
            if self._stop.wait(interval):
                return
            metrics = {
                f"{names.MACHINE}{name}": value
                for monitor in self._monitors
                for name, value in monitor.aggregate_metrics().items()
            }
            try:
                self._log(self._step, metrics)
            except Exception as error:  # the main thread receives the same error
                print(f"tracking: no more system metrics: {error}", file=sys.stderr)
                return
            self._step += 1
            for monitor in self._monitors:
                monitor.clear_metrics()


def next_step(run: Run) -> int:
    """Return the step at which the system metrics of a resumed run continue."""
    latest = run.data.to_proto().metrics
    steps = [metric.step for metric in latest if metric.key.startswith(names.MACHINE)]
    return max(steps, default=-1) + 1
