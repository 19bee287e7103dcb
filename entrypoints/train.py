"""Entry point `train`: train one model and log it."""

from fmnist.cli import run
from fmnist.options import Train
from fmnist.training.run import train

if __name__ == "__main__":
    run(Train, train)
