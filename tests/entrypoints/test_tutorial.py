"""The commands of docs/tutorial.md, with small data."""

import re
import shlex
import sys

import pytest

from fmnist.names import COMPARISON_PAGE
from tests.helpers.workspace import PROJECT, Workspace

pytestmark = pytest.mark.slow

# A network learns little from so few images.
SMALL = {
    "mlflow run .": f"{sys.executable} -m mlflow run {PROJECT}",
    "train_size=6000": "train_size=200 -P epochs=2",
    "tsne_rows=5000": "tsne_rows=100",
    "folds=3": "folds=2",
    "min_val_accuracy=0.75": "min_val_accuracy=0.05",
}


def test_commands_succeed(workspace: Workspace) -> None:
    workspace.environment["FMNIST_DATA_DIR"] = str(workspace.data_dir)
    page = (PROJECT / "docs" / "tutorial.md").read_text()
    set_up, *blocks = re.findall(r"```bash\n(.*?)```", page, flags=re.DOTALL)
    assert "uv sync" in set_up  # tested like the README's commands: on a fresh machine
    for command in "".join(blocks).splitlines():
        # A relative directory would be one of the checkout, where `mlflow run` starts the command.
        small = command.replace("=study", f"={workspace.folder}/study -P seeds=1")
        for text, replacement in SMALL.items():
            small = small.replace(text, replacement)
        workspace.execute(shlex.split(small))
    assert (workspace.folder / "study" / COMPARISON_PAGE).exists()
    champion = workspace.client.get_model_version_by_alias("lenet5", "champion")
    assert int(champion.version) == 1
    assert {run.info.status for run in workspace.runs()} == {"FINISHED"}
