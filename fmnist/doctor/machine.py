"""This machine: Python, packages, tools, cores, disk.

Of the standard library alone: the doctor must come where nothing is installed.
"""

import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from fmnist.doctor.finding import Finding

_PROJECT: Final = Path(__file__).parents[2]
_PYTHON: Final = (3, 11)
_GIGABYTE: Final = 10**9
_ENOUGH_BYTES: Final = 5 * _GIGABYTE
_NEEDED_BYTES: Final = 1 * _GIGABYTE
_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")


def python() -> Finding:
    """Whether this is the Python that the project is made for."""
    told = f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}"
    if sys.version_info[:2] == _PYTHON:
        return Finding("python", "ok", told)
    mend = "pip install uv && uv run --python 3.11 python -m fmnist doctor"
    return Finding("python", "fail", f"{told}; wanted 3.11", mend)


def packages() -> Finding:
    """Whether what the project imports is installed, in the versions it was tested with."""
    import tomllib  # not in every Python that may come here

    project = tomllib.loads((_PROJECT / "pyproject.toml").read_text())["project"]
    missing, others = [], []
    for pin in project["dependencies"]:
        name, _, wanted = pin.partition("==")
        try:
            if (found := version(name)) != wanted:
                others.append(f"{name} {found} instead of {wanted}")
        except PackageNotFoundError:
            missing.append(name)
    mend = "pip install uv && uv sync"
    if missing:
        return Finding("packages", "fail", f"not installed: {', '.join(missing)}", mend)
    if others:
        return Finding("packages", "warn", ", ".join(others), mend)
    return Finding("packages", "ok", f"{len(project['dependencies'])} as pinned")


def environments() -> Finding:
    """Whether `mlflow run` can make an environment."""
    found = [tool for tool in ("conda", "uv") if shutil.which(tool)]
    if "conda" in found:
        return Finding("mlflow run", "ok", f"{' and '.join(found)} found")
    if found:
        told = "uv found, no conda: plain `mlflow run` would leave a run RUNNING"
        return Finding("mlflow run", "ok", f"{told}; use --env-manager local or uv")
    told = "neither conda nor uv: only this environment can be used"
    return Finding("mlflow run", "warn", told, "mlflow run . -e train --env-manager local")


def cores() -> Finding:
    """How many cores this process may use, and what holds it back."""
    affinity = hasattr(os, "sched_getaffinity")
    usable = len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1
    told = f"{usable} usable"
    quota = _quota()
    if quota and quota < usable:
        mend = f"--workers {max(1, int(quota))} for crossval, or raise the container's limit"
        return Finding("cores", "warn", f"{told}, limited to the time of {quota:g}", mend)
    if limits := [name for name in os.environ if name.endswith("_NUM_THREADS")]:
        told += f", {', '.join(sorted(limits))} set: the same seed may give other last digits"
        return Finding("cores", "warn", told, f"unset {' '.join(sorted(limits))}")
    if usable == 1:
        mend = "nothing, but expect training to take about twice as long"
        return Finding("cores", "warn", told, mend)
    return Finding("cores", "ok", told)


def disk(folder: Path) -> Finding:
    """Whether runs, models and features have room where they are written."""
    free = shutil.disk_usage(folder).free
    told = f"{free / _GIGABYTE:.1f} GB free in {folder}"
    if free >= _ENOUGH_BYTES:
        return Finding("disk", "ok", told)
    mend = f"free some space (`du -xh {folder} | sort -h | tail` shows where it is), or move"
    return Finding("disk", "fail" if free < _NEEDED_BYTES else "warn", told, mend)


def _quota() -> float:
    """How many cores' time the container may use; 0 for no limit."""
    try:
        allowed, period = _QUOTA.read_text().split()
    except (OSError, ValueError):
        return 0.0
    return 0.0 if allowed == "max" else int(allowed) / int(period)
