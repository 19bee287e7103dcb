"""The configuration digest: equal for two runs that must give the same result."""

import ast
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from fmnist import names
from fmnist.options.base import Options
from fmnist.options.devices import gpu_names

_PACKAGE: Final = Path(__file__).parents[1]
_LENGTH: Final = 32
# Modules whose names start like this only present results.
_PRESENTATION: Final = ("report", "plots", "tables", "page")


@dataclass(frozen=True)
class Configuration:
    """Everything that determines a result.

    Args:
        options: the options that affect the result.
        data: digest of the data.
        code: digest of this project's code that computes the result.
        libraries: versions of the libraries that compute it.
    """

    options: Mapping[str, str]
    data: str
    code: str
    libraries: Mapping[str, str]

    @property
    def digest(self) -> str:
        """32 hexadecimal digits."""
        return _hash(vars(self))

    @property
    def tags(self) -> dict[str, str]:
        """The tags of its runs: the digest, and the digest that runs with any seed share."""
        options = {name: text for name, text in self.options.items() if name != "seed"}
        group = replace(self, options=options).digest
        return {names.TAG_CONFIG_DIGEST: self.digest, names.TAG_GROUP: group}


def configuration(options: Options, data_digest: str) -> Configuration:
    """Return the configuration of a run with these options on this data."""
    return Configuration(
        options.fingerprint_fields(),
        data_digest,
        _hash_code(_PACKAGE, type(options).code),
        _library_versions(type(options).libraries),
    )


def _hash(parts: Mapping[str, object]) -> str:
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def _library_versions(libraries: tuple[str, ...]) -> Mapping[str, str]:
    versions = {}
    for library in libraries:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:  # optional on some platforms
            versions[library] = "not installed"
    if "tensorflow" in libraries and gpu_names():
        versions["device"] = "gpu"
    return versions


@cache
def _hash_code(package: Path, sources: tuple[str, ...]) -> str:
    """Hash modules and all modules of packages, without comments and docstrings."""
    paths: set[Path] = set()
    for source in sources:
        path = package / source
        paths |= set(path.rglob("*.py")) if path.is_dir() else {path}
    digest = sha256()
    for path in sorted(paths):
        if not path.stem.startswith(_PRESENTATION):
            digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
            digest.update(_hash_syntax(path.read_text()).encode())
    return digest.hexdigest()


@cache
def _hash_syntax(source: str) -> str:
    """Hash the syntax tree of a module, without docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node) is not None:
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
    return sha256(ast.dump(tree).encode()).hexdigest()
