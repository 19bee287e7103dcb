"""CPU, memory, disk, network and GPU use while a run is open, as metrics under `system/`."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from mlflow.entities import Run
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

from fmnist import names

Log = Callable[[int, Mapping[str, float]], None]

_INTERVAL: Final = "MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"  # MLflow's setting, in seconds
_DEFAULT_SECONDS: Final = 10.0


@contextmanager
def log_system_metrics(log: Log, run: Run) -> Iterator[None]:
    """Log system metrics every ten seconds in a thread, until the block ends.

    MLflow's own monitor stops for good, and loses its values, when the server fails once.

    Args:
        log: receives the step, and values by name.
        run: as it was stored; steps continue after those that it has.
    """
    stopped = threading.Event()
    thread = threading.Thread(
        target=_measure, args=(log, _next_step(run), stopped), name="system metrics", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _measure(log: Log, step: int, stopped: threading.Event) -> None:
    kinds: list[Any] = [CPUMonitor, DiskMonitor, NetworkMonitor, GPUMonitor]
    monitors = []
    for kind in kinds:
        with suppress(Exception):  # without such a device, driver or package
            monitors.append(kind())
    interval = float(os.environ.get(_INTERVAL) or _DEFAULT_SECONDS)
    while True:
        for monitor in monitors:
            monitor.clear_metrics()
            monitor.collect_metrics()
        if stopped.wait(interval):
            return
        metrics = {
            f"{names.MACHINE}{name}": value
            for monitor in monitors
            for name, value in monitor.aggregate_metrics().items()
        }
        try:
            log(step, metrics)
        except Exception as error:  # the main thread receives the same error
            print(f"tracking: no more system metrics: {error}", file=sys.stderr)
            return
        step += 1


def _next_step(run: Run) -> int:
    latest = run.data.to_proto().metrics
    steps = [metric.step for metric in latest if metric.key.startswith(names.MACHINE)]
    return max(steps, default=-1) + 1
