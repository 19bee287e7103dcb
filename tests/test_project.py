"""The house is in order: rules, types, imports, and everything that must be told twice alike."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from fmnist.options.mlproject import mlproject, option_table

PROJECT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ],
    ids=" ".join,
)
def test_tool_is_content(command: list[str]) -> None:
    done = subprocess.run(
        [TOOLS / command[0], *command[1:]],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def pyproject() -> dict:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())


def test_conda_has_the_same_pins() -> None:
    conda = yaml.safe_load((PROJECT / "conda.yaml").read_text())
    python, _, pip = conda["dependencies"]
    assert python == "python=3.11"
    assert pip["pip"] == ["-c constraints.txt", *pyproject()["project"]["dependencies"]]


def test_constraints_are_the_same_for_uv_and_conda() -> None:
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    assert lines[1:] == pyproject()["tool"]["uv"]["constraint-dependencies"]


def test_every_pin_is_exact() -> None:
    project = pyproject()
    pins = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    pins += project["tool"]["uv"]["constraint-dependencies"]
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", pin)] == []


def test_mlproject_follows_from_the_options() -> None:
    assert (PROJECT / "MLproject").read_text() == mlproject()


def test_readme_has_the_option_table() -> None:
    assert option_table() in (PROJECT / "README.md").read_text()


def test_the_table_of_faults_names_tests_that_inject_them() -> None:
    page = (PROJECT / "docs" / "reliability.md").read_text()
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 30
    for file, test in named:
        if file.startswith(("fmnist/", "benchmarks/")):
            continue
        text = (PROJECT / "tests" / file).read_text()
        assert "pytest.mark.faults" in text, file
        if not test:
            continue
        found = re.search(rf"((?:^[@ )].*\n)*)^def {test}\(", text, re.MULTILINE)
        assert found, f"{file}::{test}"
        assert "pytestmark = pytest.mark.faults" in text or "mark.faults" in found[1], test
