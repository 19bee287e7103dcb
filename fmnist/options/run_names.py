"""Names of runs, from their options."""

import re
from pathlib import Path
from typing import Final

from fmnist.options.base import AUTO, Options

_MAX_LENGTH: Final = 120
_RUN_ID: Final = re.compile("[0-9a-f]{32}")


def describe_run(kind: str, options: Options, name: str = "") -> str:
    """Return the name of a run, such as `lenet5 dropout=0.4 seed=1`.

    It consists of the kind of run (not for `train`), the model, and the options that affect the
    result and differ from the defaults of the recipe.

    Args:
        name: replaces this description; the option `run_name` has precedence.
    """
    if name or options.run_name != AUTO:
        return name if options.run_name == AUTO else options.run_name
    shown = {"recipe", *options.fingerprint_fields()} - {"model", "seed"}
    parts = ["" if kind == "train" else kind, getattr(options, "model", "")]
    parts += [f"{k}={_shorten(text)}" for k, text in options.changed().items() if k in shown]
    if seed := getattr(options, "seed", 0):
        parts.append(f"seed={seed}")
    text = " ".join(filter(None, parts))
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def _shorten(text: str) -> str:
    """Shorten run ids and absolute paths."""
    return text[:8] if _RUN_ID.fullmatch(text) else Path(text).name if text[:1] == "/" else text
