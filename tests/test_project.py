"""Code style, types, import rules, and files that must agree with each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from fmnist.options.mlproject import mlproject, options_page

PROJECT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
README = (PROJECT / "README.md").read_text()


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
def test_code_check_passes(command: list[str]) -> None:
    command = [str(TOOLS / command[0]), *command[1:]]
    process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


def test_uv_and_conda_have_the_same_pins() -> None:
    conda = yaml.safe_load((PROJECT / "conda.yaml").read_text())
    python, _, pip = conda["dependencies"]
    assert python == f"python{PYPROJECT['project']['requires-python']}"
    assert pip["pip"] == ["-c constraints.txt", *PYPROJECT["project"]["dependencies"]]
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    assert lines[1:] == PYPROJECT["tool"]["uv"]["constraint-dependencies"]


def test_every_pin_is_exact() -> None:
    pins = PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["dev"]
    pins += PYPROJECT["tool"]["uv"]["constraint-dependencies"]
    exact = re.compile(r"[\w.-]+(\[\w+\])?==[\w.]+( ?;.+)?")
    assert [pin for pin in pins if not exact.fullmatch(pin)] == []


def test_ci_runs_the_commands_of_the_readme() -> None:
    run, test = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    lines = (PROJECT / ".ci" / "run").read_text().splitlines()
    assert {test, f"{test} -m slow"} <= set(lines)
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text())
    steps = [step.get("run") for job in workflow["jobs"].values() for step in job["steps"]]
    assert {"bash .ci/run", run, test} <= set(steps)
    versions = workflow["jobs"]["tests"]["strategy"]["matrix"]["python"]
    assert PYPROJECT["project"]["requires-python"] == ">=3.11,<3.14"
    assert versions == ["3.11", "3.12", "3.13"]


def test_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150


def test_generated_files_follow_from_the_options() -> None:
    assert (PROJECT / "MLproject").read_text() == mlproject()
    assert (PROJECT / "docs" / "options.md").read_text() == options_page()


def test_reliability_page_names_existing_fault_tests() -> None:
    page = (PROJECT / "docs" / "reliability.md").read_text()
    references = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", page)
    assert len(references) > 30
    for file, test in references:
        if file.startswith(("fmnist/", "benchmarks/")):
            continue
        text = (PROJECT / "tests" / file).read_text()
        assert "pytest.mark.faults" in text, file
        if not test:
            continue
        definition = re.search(rf"((?:^[@ )].*\n)*)^def {test}\(", text, re.MULTILINE)
        assert definition, f"{file}::{test}"
        whole_file = re.search(r"^pytestmark = .*pytest\.mark\.faults", text, re.MULTILINE)
        assert whole_file or "mark.faults" in definition[1], test
