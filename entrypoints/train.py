"""Entry point `train`: train one model and log it."""

from fmnist import cli
from fmnist.options import Train

if __name__ == "__main__":
    cli.run(Train, "fmnist.training.run:train")
