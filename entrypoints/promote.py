"""Entry point `promote`: make a registered model the champion."""

from fmnist.cli import run
from fmnist.options import Promote
from fmnist.registry.run import promote

if __name__ == "__main__":
    run(Promote, promote)
