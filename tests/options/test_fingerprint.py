"""The configuration digest changes exactly with what determines the result."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fmnist import names
from fmnist.options import (
    ENTRY_POINTS,
    Crossval,
    Train,
    configuration,
    configuration_digest,
    fingerprint,
)

DATA = "0" * 32
Edit = Callable[[str], None]


def digest(entry: str) -> str:
    return configuration_digest(ENTRY_POINTS[entry](), DATA)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = tmp_path_factory.mktemp("package") / "fmnist"
    ignore = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(fingerprint._PACKAGE, package, ignore=ignore)


@pytest.fixture
def edit(package: Path, monkeypatch) -> Iterator[Edit]:
    """Append code to a module in a copy of the package, which is then the one that is hashed."""
    monkeypatch.setattr(fingerprint, "_PACKAGE", package)
    originals: dict[Path, str | None] = {}

    def append(module: str, code: str = "\nEDITED = True\n") -> None:
        path = package / module
        originals.setdefault(path, path.read_text() if path.exists() else None)
        with path.open("a") as file:
            file.write(code)
        fingerprint._hash_code.cache_clear()

    yield append
    for path, content in originals.items():
        path.unlink() if content is None else path.write_text(content)
    fingerprint._hash_code.cache_clear()


@pytest.mark.parametrize(
    ("entry", "module", "affects_result"),
    [
        ("train", "data/new.py", True),
        ("train", "models/new.py", True),
        ("train", "training/new.py", True),
        ("train", "training/distillation.py", True),
        ("train", "evaluation/metrics.py", True),
        ("train", "training/report.py", False),
        ("train", "training/plots.py", False),
        ("train", "eda/new.py", False),
        ("train", "crossval/new.py", False),
        ("train", "comparison/new.py", False),
        ("train", "tracking/new.py", False),
        ("tune", "training/new.py", True),
        ("tune", "tuning/new.py", True),
        ("tune", "tuning/plots.py", False),
        ("crossval", "training/new.py", True),
        ("crossval", "crossval/new.py", True),
        ("crossval", "crossval/report.py", False),
        ("crossval", "crossval/plots.py", False),
        ("eda", "data/new.py", True),
        ("eda", "eda/new.py", True),
        ("eda", "eda/plots.py", False),
        ("eda", "eda/report.py", False),
        ("eda", "training/new.py", False),
    ],
)
def test_code_that_affects_the_result(
    edit: Edit, entry: str, module: str, affects_result: bool
) -> None:
    before = digest(entry)
    edit(module)
    assert (digest(entry) != before) == affects_result


def test_comments_and_docstrings_do_not_count(edit: Edit) -> None:
    edit("data/new.py", "def f(x: int) -> int:\n    return x + 1\n")
    before = digest("train")
    edit("data/new.py", "# A comment.\n")
    assert digest("train") == before
    commented = '"""Module."""\n# Why.\ndef f(x: int) -> int:\n    "What."\n    return x + 1\n'
    assert fingerprint._hash_syntax(
        "def f(x: int) -> int:\n    return x + 1\n"
    ) == fingerprint._hash_syntax(commented)


@pytest.mark.parametrize(
    ("library", "affects_result"),
    [("keras", True), ("tensorflow", True), ("matplotlib", False), ("mlflow", False)],
)
def test_libraries_that_affect_training(monkeypatch, library: str, affects_result: bool) -> None:
    before = digest("train")
    installed = fingerprint.version
    monkeypatch.setattr(
        fingerprint, "version", lambda name: "0" if name == library else installed(name)
    )
    assert (digest("train") != before) == affects_result


def test_options_and_data() -> None:
    default = configuration_digest(Train(), DATA)
    assert default == configuration_digest(Train(cache_dir="elsewhere", register_as="x"), DATA)
    assert default != configuration_digest(Train(seed=1), DATA)
    assert default != configuration_digest(Train(), "1" * 32)
    assert len(default) == 32


def test_replicates_share_their_group() -> None:
    first, second = (configuration(Train(seed=seed), DATA).tags for seed in (0, 1))
    assert first[names.TAG_GROUP] == second[names.TAG_GROUP] != first[names.TAG_CONFIG_DIGEST]
    other = configuration(Train(split_seed=1), DATA).tags
    assert other[names.TAG_GROUP] != first[names.TAG_GROUP]


def test_cluster_checks_the_code_of_crossval(edit: Edit) -> None:
    before = fingerprint.code_digest(Crossval)
    edit("training/new.py")
    assert fingerprint.code_digest(Crossval) != before


@pytest.mark.parametrize("entry", ENTRY_POINTS)
def test_declared_code_exists(entry: str) -> None:
    missing = [
        source
        for source in ENTRY_POINTS[entry].code
        if not (fingerprint._PACKAGE / source).exists()
    ]
    assert missing == []
