"""`python -m fmnist.options [mlproject|table]`: print what follows from the declared options."""

from typing import Literal

import tyro

from fmnist.options.mlproject import mlproject, option_table


def main(what: tyro.conf.Positional[Literal["mlproject", "table"]] = "mlproject") -> None:
    """Print the MLproject file or the README's option table."""
    print({"mlproject": mlproject, "table": option_table}[what](), end="")


if __name__ == "__main__":
    tyro.cli(main)
