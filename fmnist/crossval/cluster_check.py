"""A first look at a cluster, before anything is trained."""

import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

from fmnist.errors import BadInput

_PACKAGES: Final = {"ray": "ray", "dask": "distributed"}
_CONNECT_SECONDS: Final = 3
# Ray and Dask go on trying for minutes, or for ever, where something else listens: a process of
# its own tries, which can be ended.
_ANSWER_SECONDS: Final = 30


def check_in_reach(backend: str, address: str) -> None:
    """Return when the cluster answers and has a core to train on; at once for backend=loky.

    Raises:
        BadInput: it does not, or the packages for it are not installed.
    """
    if backend == "loky":
        return
    if importlib.util.find_spec(_PACKAGES[backend]) is None:
        raise BadInput(
            f"backend={backend}: the package {_PACKAGES[backend]} is not installed; install the "
            f"extra `{backend}`: uv sync --extra {backend}"
        )
    wrong = f"backend={backend}, cluster_address={address}: "
    parts = re.fullmatch(r"(?:tcp://)?([^/:\s]+):(\d{1,5})", address)
    if not parts:
        raise BadInput(f"{wrong}wanted HOST:PORT of an existing cluster")
    try:
        socket.create_connection((parts[1], int(parts[2])), timeout=_CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise BadInput(
            f"{wrong}nobody listens there ({error}); start the cluster or mend the address"
        ) from error
    cores, reason = _ask(backend, address)
    if cores == 0:
        raise BadInput(f"{wrong}the cluster has no core to train on; start a worker")
    if cores is None:
        raise BadInput(f"{wrong}what listens there is no {backend} cluster of ours: {reason}")


def _ask(backend: str, address: str) -> tuple[int | None, str]:
    """How many cores the cluster has, None and why when it does not tell."""
    project = str(Path(__file__).parents[2])
    try:
        done = subprocess.run(
            [sys.executable, "-m", __package__, backend, address],
            env=os.environ | {"PYTHONPATH": project},
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None, f"no answer in {_ANSWER_SECONDS} s"
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    return int(done.stdout.split()[-1]), ""
