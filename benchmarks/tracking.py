"""What the journal costs: a training on a tracking server with it, and without.

    uv run python -m benchmarks.tracking --data_dir FOLDER [--repeats 5] [--epochs 10]

Both sides run `train` of LeNet-5 on the same server of this machine, in turn, each in a fresh
process. "without" sends everything at once, in the thread that trains, as MLflow does by itself.
Told are the seconds from the end of the first epoch to the end of the last, and of the process.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

WITHOUT = """
import runpy
from fmnist.tracking import outbox
outbox.is_server = lambda uri: False
runpy.run_module("entrypoints.train", run_name="__main__")
"""


def measure(side: str, arguments: argparse.Namespace, server: str, seed: int) -> dict[str, float]:
    start = ["-m", "entrypoints.train"] if side == "with" else ["-c", WITHOUT]
    options = ["--data_dir", str(arguments.data_dir), "--epochs", str(arguments.epochs)]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {
            "MLFLOW_TRACKING_URI": server,
            "FMNIST_JOURNAL_DIR": folder,
            "PYTHONPATH": os.getcwd(),
        }
        command = [sys.executable, *start, *options, "--seed", str(seed)]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        told = (line for line in process.stdout or [] if line.startswith("epoch "))
        moments = [time.perf_counter() for _ in told]
        if process.wait():
            sys.exit(f"{side}: exit code {process.returncode}")
        whole = time.perf_counter() - started
    return {"epochs after the first": moments[-1] - moments[0], "whole process": whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--port", type=int, default=5999)
    arguments = parser.parse_args()
    server = f"http://127.0.0.1:{arguments.port}"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(arguments.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db"]
        command += ["--artifacts-destination", f"{folder}/artifacts"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)
        try:
            wait_for(server)
            results = compared(arguments, server)
        finally:
            process.terminate()
            process.wait()
    print("| seconds | without | with | added |\n| --- | --- | --- | --- |")
    for name in results["with"][0]:
        pairs = [
            (a[name], b[name]) for a, b in zip(results["without"], results["with"], strict=True)
        ]
        without, with_ = (statistics.median(side) for side in zip(*pairs, strict=True))
        added = statistics.median(100 * (b / a - 1) for a, b in pairs)
        print(f"| {name} | {without:.2f} | {with_:.2f} | {added:+.1f} % (median of pairs) |")


def compared(arguments: argparse.Namespace, server: str) -> dict[str, list[dict[str, float]]]:
    results: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    for seed in range(arguments.repeats):
        for side in list(results)[:: 1 if seed % 2 else -1]:
            results[side].append(measure(side, arguments, server, seed))
            print(f"seed {seed}, {side}: {results[side][-1]}", file=sys.stderr)
    return results


def wait_for(server: str) -> None:
    while True:
        try:
            requests.get(f"{server}/health", timeout=5).raise_for_status()
            return
        except requests.RequestException:
            time.sleep(0.5)


if __name__ == "__main__":
    main()
