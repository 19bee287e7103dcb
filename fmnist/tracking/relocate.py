"""Correct the locations of files in a moved or copied store."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from fmnist.errors import BadInput
from fmnist.tracking.address import database_path, local_path, tracking_uri

# Columns of MLflow's tables that contain the location of files.
_COLUMNS: Final = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_BACKUP: Final = ".before-relocate"


def relocate() -> None:
    """Let the SQLite store in use refer to the files beside it, and print what has changed.

    The files must have been moved or copied with the store. The store before the change is kept in
    a file of the same name that ends with `.before-relocate`. Locations of remote files, and of
    experiments whose files are not beside the store, do not change.

    Raises:
        BadInput: the store is not a SQLite file, is in use, or has no files beside it.
    """
    path = database_path(tracking_uri())
    if path is None or not path.is_file():
        raise BadInput(
            f"{path or 'this tracking store'}: expected an existing SQLite store; only those can "
            "be relocated; set MLFLOW_TRACKING_URI to its file"
        )
    path = path.resolve()
    try:
        with closing(sqlite3.connect(path, timeout=1)) as database:
            moves = _find_moves(database, path.parent)
            if not moves:
                print(f"{path}: nothing to relocate, all local files are stored beside it")
                return
            with closing(sqlite3.connect(f"{path}{_BACKUP}")) as backup:
                database.backup(backup)
            with database:  # one transaction
                changed = sum(
                    _replace(database, table, name, old, new)
                    for old, new in moves.items()
                    for table, name in _COLUMNS
                )
    except sqlite3.Error as error:
        raise BadInput(
            f"{path}: cannot be relocated ({error}), and is unchanged; end the processes that use "
            "it, and check that it is a tracking store"
        ) from error
    for old, new in moves.items():
        print(f"{old} -> {new}")
    print(f"{path}: {changed} locations changed; the store as it was: {path}{_BACKUP}")


def _find_moves(database: sqlite3.Connection, folder: Path) -> dict[str, str]:
    """Return the new location of each directory that contains those of experiments.

    MLflow stores the files of an experiment in `ROOT/ID`.
    """
    moves: dict[str, str] = {}
    experiments = database.execute("SELECT experiment_id, artifact_location FROM experiments")
    for experiment_id, location in experiments:
        path = local_path(location or "")
        if not location or path is None or folder in path.parents:
            continue
        root = path.parent if path.name == str(experiment_id) else path
        new = folder / root.name
        if not new.is_dir():
            raise BadInput(
                f"{new}: no such directory; move or copy the files of the runs from {root} into it "
                "first"
            )
        old = location.removesuffix(f"/{experiment_id}")
        moves[old] = new.as_uri() if location.startswith("file:") else str(new)
    # The longest first, since one may contain another.
    return dict(sorted(moves.items(), key=lambda move: -len(move[0])))


def _replace(database: sqlite3.Connection, table: str, name: str, old: str, new: str) -> int:
    """Replace the beginning of the locations in a column; return the number of changes."""
    statement = (
        f"UPDATE {table} SET {name} = ? || substr({name}, ?) "  # noqa: S608 (constants)
        f"WHERE {name} = ? OR substr({name}, 1, ?) = ?"
    )
    values = (new, len(old) + 1, old, len(old) + 1, f"{old}/")
    return database.execute(statement, values).rowcount
