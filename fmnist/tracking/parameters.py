"""Parameters of runs as they were meant."""

import shlex
from collections.abc import Mapping


def unquoted(parameters: Mapping[str, str]) -> dict[str, str]:
    """Without the quotes of `mlflow run`, which logs values as the shell will see them.

    It logs '' for nothing and 'two words' for two words.
    """
    return {name: _unquoted(text) for name, text in parameters.items()}


def _unquoted(text: str) -> str:
    try:
        return "".join(shlex.split(text))
    except ValueError:  # a lone quote: not from `mlflow run`
        return text
