"""Entry point `compare`: compare logged runs on one page."""

from fmnist.cli import run
from fmnist.comparison.run import compare
from fmnist.options import Compare

if __name__ == "__main__":
    run(Compare, compare)
