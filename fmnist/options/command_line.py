"""From a command line to options."""

from typing import TypeVar

import tyro

from fmnist.options.base import Options

T = TypeVar("T", bound=Options)


def parse(options: type[T], arguments: list[str], program: str) -> T:
    """The options that the arguments ask for.

    Raises:
        BadInput: a value outside its range.
        SystemExit: with code 2, unknown or malformed arguments (told by tyro on stderr); with
            code 0, after `--help`.
    """
    return tyro.cli(options, args=arguments, prog=program, use_underscores=True)
