"""Entry point `main`: run the complete study."""

from fmnist.cli import run
from fmnist.options import Study
from fmnist.study.run import main

if __name__ == "__main__":
    run(Study, main)
