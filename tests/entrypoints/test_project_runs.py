"""`mlflow run . -e NAME` of every entry point."""

import pytest

from fmnist import names
from fmnist.options import ENTRY_POINTS
from tests.helpers.project_runs import OPTIONS, ProjectRuns

RUN_NAMES = {
    "eda": "eda tsne_rows=300",
    "train": "lenet5 epochs=3",
    "crossval": "crossval lenet5 epochs=3 folds=3",
    "promote": "promote small v1",
    "tune": "tune lenet5 epochs=1 search=learning_rate,dropout pruner=none seeds=1",
    "main": "study epochs=3 seeds=2 weights=none tsne_rows=300 folds=3",
    "compare": "compare {:.0f} models",
}


@pytest.mark.parametrize("entry", OPTIONS)
def test_mlflow_run_finishes(project_runs: ProjectRuns, entry: str) -> None:
    workspace, run, _ = project_runs.get(entry)
    assert run.info.status == "FINISHED"
    compared = run.data.metrics.get(names.COMPARED_MODELS)
    assert run.info.run_name == RUN_NAMES[entry].format(compared)
    options = ENTRY_POINTS[entry](**OPTIONS[entry])
    assert run.data.params.keys() - options.parameters().keys() <= {"data_dir", "output_dir"}
    assert options.parameters().keys() <= run.data.params.keys()
    assert not {"auto", "recipe"} & set(run.data.params.values())
    assert run.inputs.dataset_inputs
    assert "RUNNING" not in {each.info.status for each in workspace.runs()}


def test_every_entry_point_is_tested() -> None:
    assert OPTIONS.keys() == ENTRY_POINTS.keys()
