"""`python -m fmnist.tracking reap`: end the runs whose process is gone."""

from typing import Annotated, Literal

import tyro

from fmnist.tracking.address import knock


def main(
    what: tyro.conf.Positional[Literal["reap"]],
    really: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False,
    silent_hours: float = 24.0,
) -> None:
    """Housekeeping of the tracking store that MLFLOW_TRACKING_URI names.

    Args:
        what: reap: mark RUNNING runs as KILLED when the process that worked on them has ended.
        really: do it; without, they are only listed.
        silent_hours: runs of other machines count as ended when they have logged nothing for this
            long.
    """
    knock()
    from fmnist.tracking.stale import end_stale, find_stale
    from fmnist.tracking.store import open_store

    client = open_store()
    found = find_stale(client, silent_hours)
    for stale in found:
        if really:
            end_stale(client, stale)
        print(f"{'ended' if really else 'would end'} {stale.kind} {stale.run_id}: {stale.reason}")
    hint = "" if really or not found else "; add --really to end them"
    print(f"{len(found)} stale runs{hint}")


if __name__ == "__main__":
    tyro.cli(main, prog="python -m fmnist.tracking", use_underscores=True)
