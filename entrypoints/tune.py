"""Entry point `tune`: search for the best options and train the winner."""

from fmnist.cli import run
from fmnist.options import Tune
from fmnist.tuning.run import tune

if __name__ == "__main__":
    run(Tune, tune)
