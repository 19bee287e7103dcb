"""Entry point `crossval`: cross-validate one model."""

from fmnist import cli
from fmnist.options import Crossval

if __name__ == "__main__":
    cli.run(Crossval, "fmnist.crossval.run:crossval")
