"""Entry point `promote`: make a registered model the champion."""

from fmnist import cli
from fmnist.options import Promote

if __name__ == "__main__":
    cli.run(Promote, "fmnist.registry.run:promote")
