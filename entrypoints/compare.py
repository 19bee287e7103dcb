"""Entry point `compare`: compare logged runs on one page."""

from fmnist import cli
from fmnist.options import Compare

if __name__ == "__main__":
    cli.run(Compare, "fmnist.comparison.run:compare")
