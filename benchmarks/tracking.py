"""What the journal costs: a training on a tracking server with it, and without.

    uv run python -m benchmarks.tracking --data_dir FOLDER [--repeats 5] [--epochs 10]

Both sides run `train` of LeNet-5 on the same server of this machine (see `sides`). "without" sends
everything at once, in the thread that trains, as MLflow does by itself.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

from benchmarks.sides import Seconds, compare, options_of, timed

WITHOUT = """
import runpy
from fmnist.tracking import queue
queue.is_server = lambda uri: False
runpy.run_module("entrypoints.train", run_name="__main__")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--port", type=int, default=5999)
    arguments = parser.parse_args()
    server = f"http://127.0.0.1:{arguments.port}"

    def measure(side: str, seed: int) -> Seconds:
        start = ["-m", "entrypoints.train"] if side == "with" else ["-c", WITHOUT]
        return timed(start, options_of(arguments, seed), {"MLFLOW_TRACKING_URI": server})

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(arguments.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
        command += ["--artifacts-destination", f"{folder}/artifacts"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)
        try:
            wait_for(server)
            compare(arguments.repeats, measure)
        finally:
            process.terminate()
            process.wait()


def wait_for(server: str) -> None:
    while True:
        try:
            requests.get(f"{server}/health", timeout=5).raise_for_status()
            return
        except requests.RequestException:
            time.sleep(0.5)


if __name__ == "__main__":
    main()
