"""The configuration digest: equal for two runs that must give the same result."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

from fmnist.options.base import Options

# The rooms and libraries that decide numbers; figures, reports and tracking do not.
_ROOMS: Final = ("data", "models", "training", "evaluation", "eda", "crossval")
_LIBRARIES: Final = ("keras", "numpy", "openTSNE", "scikit-image", "scikit-learn", "tensorflow")
_LENGTH: Final = 32


@dataclass(frozen=True)
class Configuration:
    """All that decides a result: options that affect it, data, our code, others' code.

    Args:
        data: a digest.
        code: a digest.
        libraries: the version of each.
    """

    options: Mapping[str, str]
    data: str
    code: str
    libraries: Mapping[str, str]

    @property
    def digest(self) -> str:
        """32 hexadecimal digits over all of it."""
        return _digest(vars(self))


def configuration(options: Options, data_digest: str) -> Configuration:
    """The configuration of work with these options on that data, here and now."""
    return Configuration(options.fingerprint_fields(), data_digest, _rooms(), _libraries())


def configuration_digest(options: Options, data_digest: str) -> str:
    """32 hexadecimal digits over the options that affect the result, the data and the code."""
    return configuration(options, data_digest).digest


def code_digest() -> str:
    """32 hexadecimal digits over the code that computes results, and the libraries it uses."""
    return _digest({"code": _rooms(), "libraries": _libraries()})


def _digest(parts: Mapping[str, object]) -> str:
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def _libraries() -> Mapping[str, str]:
    return {library: version(library) for library in _LIBRARIES}


@cache
def _rooms() -> str:
    """A digest of our code that computes results; comments and docstrings do not count."""
    package = Path(__file__).parent.parent
    digest = sha256()
    for room in _ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
            digest.update(_essence(path.read_text()).encode())
    return digest.hexdigest()


def _essence(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[:1] = [] if len(body) > 1 else [ast.Pass()]
    return ast.dump(tree)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
