"""`python -m fmnist cache list|prune`: look at the cache of features, make room."""

import sys
from typing import Literal

import tyro

from fmnist.data.sources import cache_root
from fmnist.errors import BadInput
from fmnist.training.features.housekeeping import Entry, entries, prune


def main(
    what: tyro.conf.Positional[Literal["list", "prune"]],
    cache_dir: str = "auto",
    unused_days: float | None = None,
    keep_gigabytes: float | None = None,
) -> None:
    """List the cached features, or remove some of them.

    Args:
        what: list, or prune by age or size.
        cache_dir: as the option of the entry points.
        unused_days: prune what no run has used for this many days.
        keep_gigabytes: prune the least recently used until this many are left.
    """
    folder = cache_root(cache_dir) / "features"
    if what == "prune":
        if unused_days is None and keep_gigabytes is None:
            raise BadInput("prune: wanted unused_days or keep_gigabytes, got neither")
        keep_bytes = None if keep_gigabytes is None else int(keep_gigabytes * 1e9)
        removed = prune(folder, unused_days=unused_days, keep_bytes=keep_bytes)
        for entry in removed:
            print(f"removed {_line(entry)}")
    left = entries(folder)
    if what == "list":
        for entry in left:
            print(_line(entry))
    total = sum(entry.bytes for entry in left)
    print(f"{len(left)} entries, {total / 1e6:,.0f} MB in {folder}")


def _line(entry: Entry) -> str:
    made = entry.made_of
    what = "  ".join(
        made.get(key, "?") for key in ("backbone", "input_size", "input_scaling", "feature_layers")
    )
    weights, images = made.get("weights", "?")[:8], made.get("images", "?")[:8]
    state = "" if entry.whole else "  unfinished"
    return (
        f"{entry.folder.stem[:8]}  {entry.bytes / 1e6:>8,.1f} MB  unused for "
        f"{entry.days_unused:.1f} days  {what}  weights {weights}  images {images}{state}"
    )


if __name__ == "__main__":
    try:
        tyro.cli(main, prog="python -m fmnist cache", use_underscores=True)
    except BadInput as error:
        print(error, file=sys.stderr)
        sys.exit(2)
