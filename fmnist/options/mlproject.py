"""The MLproject file and the README's option table, written out from the declarations."""

import json
from collections.abc import Iterable
from types import UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from fmnist.options.base import Options
from fmnist.options.entry_points import ENTRY_POINTS

_MLPROJECT_TYPES: Final = {int: "int", float: "float", str: "string"}


def mlproject() -> str:
    """The text of the MLproject file: every entry point, its parameters and its command."""
    lines = [
        "# Written by `python -m fmnist options > MLproject`; change fmnist/options.",
        "name: fmnist",
        "conda_env: conda.yaml",
        "entry_points:",
    ]
    for name, (script, options) in ENTRY_POINTS.items():
        lines += [f"  {name}:", "    parameters:"]
        for option, field in options.model_fields.items():
            kind = _MLPROJECT_TYPES.get(field.annotation, "string")  # type: ignore[arg-type]
            lines += [
                f"      # {_help(field)}",
                # Quoted as JSON: bare words such as off are truth values to YAML.
                f"      {option}: {{type: {kind}, default: {json.dumps(field.default)}}}",
            ]
        flags = [f"--{option} {{{option}}}" for option in options.model_fields]
        # Folded: one line to YAML, one option a line to the reader.
        lines += ["    command: >-", f"      python -m entrypoints.{script}"]
        lines += [f"      {flag}" for flag in flags]
    return "\n".join(lines) + "\n"


def command(entry: str, options: Options) -> str:
    """The command line that does the same, without what is the default anyway."""
    fields = type(options).model_fields
    given = [
        f"-P {name}={text}"
        for name, text in options.as_text().items()
        if text != str(fields[name].default)
    ]
    return " ".join([f"uv run mlflow run . -e {entry} --env-manager local", *given])


def option_table() -> str:
    """A Markdown table of all options: name, default, what it accepts, meaning, entry points.

    An option that entry points declare differently has a row for each declaration.
    """
    users: dict[tuple[str, ...], list[str]] = {}
    for name, (_, options) in ENTRY_POINTS.items():
        for option, field in options.model_fields.items():
            row = (f"`{option}`", f"`{field.default}`", _accepts(field), _help(field))
            users.setdefault(row, []).append(name)
    rows = ((*row, ", ".join(names)) for row, names in users.items())
    return _markdown(("option", "default", "accepts", "meaning", "entry points"), rows)


def _markdown(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _help(field: FieldInfo) -> str:
    return field.description or ""


def _accepts(field: FieldInfo) -> str:
    if get_origin(field.annotation) in (UnionType, Union):
        parts = get_args(field.annotation)
        return ", ".join(_accepts(FieldInfo.from_annotation(part)) for part in parts)
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    kind = {int: "whole number", float: "number", str: "text"}[field.annotation]  # type: ignore[index]
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits: list[Any] = [
        f"{sign} {getattr(rule, key)}"
        for rule in field.metadata
        for key, sign in signs.items()
        if hasattr(rule, key)
    ]
    return ", ".join([kind, *limits])
