"""`mlflow run . -e NAME` of every entry point."""

import pytest

from fmnist.options import ENTRY_POINTS
from tests.helpers.project_runs import OPTIONS, ProjectRuns


@pytest.mark.parametrize("entry", OPTIONS)
def test_mlflow_run_finishes(project_runs: ProjectRuns, entry: str) -> None:
    workspace, run, _ = project_runs.get(entry)
    assert run.info.status == "FINISHED"
    assert ENTRY_POINTS[entry].model_fields.keys() <= run.data.params.keys()
    assert "RUNNING" not in {each.info.status for each in workspace.runs()}


def test_every_entry_point_is_tested() -> None:
    assert OPTIONS.keys() == ENTRY_POINTS.keys()
