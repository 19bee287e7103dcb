"""What a fit needs to go on, on disk: a folder for each epoch, whole or not there at all."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fmnist.system.atomic import atomic_dir, remove_dir, remove_unfinished

Arrays = Mapping[str, npt.NDArray[Any]]
Rows = list[Mapping[str, float]]

ARRAYS: Final = "arrays.npz"
ROWS: Final = "history.json"
CHECKSUMS: Final = "SHA256SUMS"  # as `sha256sum --check` reads it
_KEPT: Final = 2


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state of a fit after an epoch.

    Args:
        arrays: by name.
        rows: what was measured in each epoch so far.
    """

    arrays: Arrays
    rows: Rows


class Checkpoints:
    """The checkpoints of one fit: the last two, since the newest may be damaged later.

    Args:
        folder: of this fit alone; made when there is something to put there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._in_trouble = False
        remove_unfinished(folder)

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep the state after one epoch more; on return it survives a loss of power.

        Where it cannot be written, the fit goes on, and that is said once: those before stay.
        """
        epoch = len(checkpoint.rows)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(self._folder / f"{epoch:06d}", checkpoint)
            for old in self._whole()[:-_KEPT]:
                remove_dir(old)
        except OSError as error:
            if not self._in_trouble:
                stays = self._whole()
                left = f"that of epoch {int(stays[-1].name)} stays" if stays else "there is none"
                _say(
                    f"epoch {epoch} could not be kept in {self._folder} "
                    f"({error.strerror or error}); {left}; training goes on, and every epoch "
                    "tries again"
                )
            self._in_trouble = True
            return
        if self._in_trouble:
            _say(f"epoch {epoch} could be kept again")
        self._in_trouble = False

    def newest(self) -> Checkpoint | None:
        """The newest one that is whole; those that are damaged are said, and go."""
        for folder in reversed(self._whole()):
            try:
                return _read(folder)
            except (OSError, ValueError) as error:
                _say(f"that of epoch {int(folder.name)} is damaged and not used: {error}")
                remove_dir(folder)
        return None

    def _whole(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*"))


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **checkpoint.arrays)
    contents = {ARRAYS: packed.getvalue(), ROWS: json.dumps(checkpoint.rows).encode()}
    sums = "".join(f"{_sum(content)}  {name}\n" for name, content in contents.items())
    with atomic_dir(folder) as work:
        for name, content in {**contents, CHECKSUMS: sums.encode()}.items():
            (work / name).write_bytes(content)


def _read(folder: Path) -> Checkpoint:
    """The checkpoint in a folder.

    Raises:
        ValueError, OSError: it is not as it was written.
    """
    lines = (folder / CHECKSUMS).read_text().splitlines()
    sums = {name: wanted for wanted, _, name in (line.partition("  ") for line in lines)}
    contents = {}
    for name in (ARRAYS, ROWS):
        contents[name] = (folder / name).read_bytes()
        if _sum(contents[name]) != sums.get(name):
            raise ValueError(
                f"{folder / name}: {len(contents[name]):,} bytes are not those that were written"
            )
    with np.load(io.BytesIO(contents[ARRAYS]), allow_pickle=False) as arrays:
        return Checkpoint(dict(arrays), json.loads(contents[ROWS]))


def _sum(content: bytes) -> str:
    return sha256(content).hexdigest()


def _say(text: str) -> None:
    print(f"checkpoints: {text}", flush=True)
