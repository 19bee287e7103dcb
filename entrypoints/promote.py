"""Entry point `promote`: make a registered model the champion."""

from fmnist import cli
from fmnist.options import Promote
from fmnist.system.signals import signals_deferred


def promote(options: Promote) -> None:
    """Make a registered model the champion."""
    with signals_deferred():  # an interrupted import of NumPy cannot be repeated
        from fmnist.registry import run  # options are validated before this is imported

    run.promote(options)


if __name__ == "__main__":
    cli.run(Promote, promote)
