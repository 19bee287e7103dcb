"""The configuration digest: equal for two runs that must give the same result."""

import ast
import json
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final

from fmnist.options.base import Options

# The rooms and libraries that decide numbers; figures, reports and tracking do not.
_ROOMS: Final = ("data", "models", "training", "evaluation")
_LIBRARIES: Final = ("keras", "numpy", "openTSNE", "scikit-image", "scikit-learn", "tensorflow")
_LENGTH: Final = 32


def configuration_digest(options: Options, data_digest: str) -> str:
    """32 hexadecimal digits over the options that affect the result, the data and the code."""
    parts = {"options": options.affecting_result(), "data": data_digest, "code": code_digest()}
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_LENGTH]


@cache
def code_digest() -> str:
    """A digest of the code that computes results; comments and docstrings do not count."""
    package = Path(__file__).parent.parent
    digest = sha256()
    for room in _ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
            digest.update(_essence(path.read_text()).encode())
    for library in _LIBRARIES:
        digest.update(f"{library}=={version(library)}\n".encode())
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
