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
    changed = options.changed()
    affecting = [name for name in options.fingerprint_fields() if name not in ("model", "seed")]
    parts = ["" if kind == "train" else kind, getattr(options, "model", "")]
    parts += [
        f"{name}={_shorten(changed[name])}"
        for name in ("recipe", *affecting, "seed")
        if name in changed
    ]
    text = " ".join(filter(None, parts))
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"


def _shorten(text: str) -> str:
    """Shorten run ids and absolute paths."""
    return text[:8] if _RUN_ID.fullmatch(text) else Path(text).name if text[:1] == "/" else text
