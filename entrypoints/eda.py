"""Entry point `eda`: explore the dataset."""

from fmnist.cli import run
from fmnist.eda.run import eda
from fmnist.options import Eda

if __name__ == "__main__":
    run(Eda, eda)
