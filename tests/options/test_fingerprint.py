"""The configuration digest changes exactly with what determines the result."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fmnist import names
from fmnist.options import ENTRY_POINTS, Compare, Train, configuration, devices, fingerprint

DATA = "0" * 32
Edit = Callable[[str], None]

# Code that affects the result of an entry point, and code that only presents it or is not used.
CODE = {
    "train": (
        "data/new.py models/new.py training/new.py training/distillation.py evaluation/metrics.py",
        "training/report.py training/plots.py eda/new.py crossval/new.py comparison/new.py "
        "tracking/new.py",
    ),
    "tune": ("training/new.py tuning/new.py", "tuning/plots.py"),
    "crossval": ("training/new.py crossval/new.py", "crossval/report.py crossval/plots.py"),
    "eda": ("data/new.py eda/new.py", "eda/plots.py eda/report.py training/new.py"),
}


def digest(entry: str) -> str:
    return configuration(ENTRY_POINTS[entry](), DATA).digest


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


@pytest.mark.parametrize("entry", CODE)
def test_code_that_affects_the_result(edit: Edit, entry: str) -> None:
    for affects_result, modules in zip((True, False), CODE[entry], strict=True):
        for module in modules.split():
            before = digest(entry)
            edit(module)
            assert (digest(entry) != before) == affects_result, module


def test_comments_and_docstrings_do_not_count(edit: Edit) -> None:
    code = "def f(x: int) -> int:\n    return x + 1\n"
    edit("data/new.py", code)
    before = digest("train")
    edit("data/new.py", "# A comment.\n")
    assert digest("train") == before
    commented = '"""Module."""\n# Why.\ndef f(x: int) -> int:\n    "What."\n    return x + 1\n'
    assert fingerprint._hash_syntax(code) == fingerprint._hash_syntax(commented)


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
    default = configuration(Train(), DATA).digest
    assert default == configuration(Train(cache_dir="elsewhere", register_as="x"), DATA).digest
    assert default != configuration(Train(seed=1), DATA).digest
    assert default != configuration(Train(), "1" * 32).digest
    assert len(default) == 32


def test_replicates_share_their_group() -> None:
    first, second, other = (
        configuration(options, DATA).tags
        for options in (Train(), Train(seed=1), Train(split_seed=1))
    )
    assert first[names.TAG_GROUP] == second[names.TAG_GROUP] != first[names.TAG_CONFIG_DIGEST]
    assert other[names.TAG_GROUP] != first[names.TAG_GROUP]


def test_declared_code_exists() -> None:
    declared = {source for options in ENTRY_POINTS.values() for source in options.code}
    assert [source for source in declared if not (fingerprint._PACKAGE / source).exists()] == []


@pytest.mark.parametrize(
    ("visible", "expected"),
    [(None, ["NVIDIA H100"]), ("0", ["NVIDIA H100"]), ("-1", []), ("", [])],
)
def test_device_is_found_and_counts_for_trainings(
    tmp_path: Path, monkeypatch, visible: str | None, expected: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    without = {options: configuration(options(), DATA).digest for options in (Train, Compare)}
    folder = tmp_path / "0000:0f:00.0"
    folder.mkdir()
    (folder / "information").write_text("Model: \t\t NVIDIA H100\nIRQ:   16\n")
    monkeypatch.setattr(devices, "_DRIVER", tmp_path)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.gpu_names() == expected
    assert (configuration(Train(), DATA).digest != without[Train]) == bool(expected)
    assert configuration(Compare(), DATA).digest == without[Compare]
