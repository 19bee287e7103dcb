"""Entry point `crossval`: cross-validate one model."""

from fmnist.cli import run
from fmnist.crossval.run import crossval
from fmnist.options import Crossval

if __name__ == "__main__":
    run(Crossval, crossval)
