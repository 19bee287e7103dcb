"""Housekeeping of the tracking store: `python -m fmnist.tracking reap` and `sync`."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from fmnist.errors import BadInput
from fmnist.tracking.address import check_server
from fmnist.tracking.offline import journal


def reap(
    really: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False, silent_hours: float = 24.0
) -> int:
    """Mark RUNNING runs as KILLED when the process that worked on them has ended.

    Args:
        really: do it; without, they are only listed.
        silent_hours: runs of other machines count as ended when they have logged nothing for this
            long.
    """
    check_server()
    from fmnist.tracking.orphans import end_stale, find_stale
    from fmnist.tracking.store import open_store

    client = open_store()
    found = find_stale(client, silent_hours)
    for stale in found:
        if really:
            end_stale(client, stale)
        print(f"{'ended' if really else 'would end'} {stale.kind} {stale.run_id}: {stale.reason}")
    hint = "" if really or not found else "; add --really to end them"
    print(f"{len(found)} stale runs{hint}")
    return 0


def sync(folder: tyro.conf.Positional[Path | None] = None) -> int:
    """Complete runs whose tracking server was away: bring it what was kept on disk, exactly once.

    Args:
        folder: of one run, or of many; by default all that are kept on this machine.
    """
    if folder and not folder.is_dir():
        raise BadInput(f"{folder}: no such folder; an ended run has none any more")
    place = folder.absolute() if folder else journal.root()
    if not journal.folders(place):
        print(f"nothing to do: no records are kept in {place}")
        return 0
    from fmnist.tracking.offline.sync import sync as deliver

    return deliver(place)


if __name__ == "__main__":
    try:
        sys.exit(
            tyro.extras.subcommand_cli_from_dict(
                {"reap": reap, "sync": sync}, prog="python -m fmnist.tracking", use_underscores=True
            )
        )
    except BadInput as told:
        print(f"tracking: {told}", file=sys.stderr)
        sys.exit(2)
