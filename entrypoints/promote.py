"""Entry point `promote`: make a registered model the champion."""

from fmnist import cli
from fmnist.options import Promote


def promote(options: Promote) -> None:
    """Make a registered model the champion."""
    from fmnist.registry import run  # options are validated before this is imported

    run.promote(options)


if __name__ == "__main__":
    cli.run(Promote, promote)
