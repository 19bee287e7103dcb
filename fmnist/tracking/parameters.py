"""Parameters of runs as they were meant."""

import shlex
from collections.abc import Mapping

from fmnist import names
from fmnist.options import Options


def missing(options: Options, logged: Mapping[str, str], resumed: bool) -> dict[str, str]:
    """What a run has not as parameters yet: its options as text, and what they came to.

    Args:
        resumed: options that do not affect the result may differ from those logged.

    Raises:
        RuntimeError: one is logged with another meaning.
    """
    stored = type(options).from_text(options.as_text() | unquoted(logged))
    same = (
        stored.fingerprint_fields() == options.fingerprint_fields()
        if resumed
        else stored == options
    )
    if not same:
        raise RuntimeError(f"the run already has other parameters: {stored} and not {options}")
    asked, done = options.as_text(), options.fingerprint_fields()
    used = {f"{names.USED}{name}": text for name, text in done.items() if text != asked[name]}
    return {name: text for name, text in (asked | used).items() if name not in logged}


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
