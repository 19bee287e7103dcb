"""Entry point `eda`: explore the dataset."""

from fmnist import cli
from fmnist.options import Eda

if __name__ == "__main__":
    cli.run(Eda, "fmnist.eda.run:eda")
