"""Entry point `tune`: search for the best options and train the winner."""

from fmnist import cli
from fmnist.options import Tune

if __name__ == "__main__":
    cli.run(Tune, "fmnist.tuning.run:tune")
