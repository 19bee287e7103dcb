"""Invalid options and input: exit code 2, one message, and no run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fmnist import names
from tests.helpers.project_runs import ProjectRuns
from tests.helpers.workspace import Workspace, read_table


@pytest.mark.parametrize(
    ("entry", "options", "message"),
    [
        ("eda", {"perplexity": 267}, "perplexity=267: expected at least 802 images"),
        ("eda", {"perplexity": 0}, "perplexity=0"),
        ("train", {"model": "vgg17"}, "vgg17: input should be 'lenet5'"),
        ("train", {"model": "vgg16", "input_size": 16}, "input_size=16: input should be greater"),
        ("train", {"model": "vgg16", "weights": "text.h5"}, "text.h5"),
        ("train", {"model": "resnet50", "weights": "hed-bsds500"}, "weights=hed-bsds500"),
        ("train", {"weights": "none"}, "weights=none is an option of backbones"),
        ("train", {"model": "vgg16", "weights": "none", "cache_dir": "text.h5"}, "text.h5"),
        ("crossval", {"resume": "0" * 32}, "no such run"),
        (
            "crossval",
            {"model": "vgg16", "weights": "text.h5", "cache_dir": "cache"},
            "text.h5: expected a Keras weights file",
        ),
        ("compare", {}, "mlflow run . -e train --env-manager local"),
        ("compare", {"runs": "abc"}, "runs=abc: no such run"),
        ("compare", {"models": "vgg17"}, "models=vgg17"),
        ("compare", {"models": "vgg16", "runs": "abc"}, "models"),
        ("compare", {"experiments": "none"}, "experiments=none"),
        ("compare", {"output_dir": "."}, "mlflow.db"),
        ("tune", {"storage": "postgresql://me:hush@nowhere/db"}, names.STUDY_STORAGE),
    ],
)
def test_before_a_run_is_created(
    workspace: Workspace, call: Callable, entry: str, options: dict[str, str], message: str
) -> None:
    Path("text.h5").write_text("neither weights nor a folder")
    printed = call(entry, code=2, **options)
    assert printed.err.startswith(f"{entry}: ")
    assert message in " ".join(printed.err.split())
    assert "Traceback" not in printed.err
    assert "hush" not in printed.err
    assert workspace.runs() == []


def test_teacher_must_have_predictions_for_all_training_rows(
    project_runs: ProjectRuns, copied_store: Workspace, call: Callable
) -> None:
    teacher = project_runs.get("crossval")
    table = read_table(teacher.artifacts(), names.PREDICTIONS_OUT_OF_FOLD)
    file = Path(names.PREDICTIONS_OUT_OF_FOLD).name
    table[1:].to_parquet(file)
    client = copied_store.client
    run_id = client.create_run("0", tags=teacher.run.data.tags).info.run_id
    client.log_artifact(run_id, file, "predictions")
    client.set_terminated(run_id)
    assert f"teacher={run_id}" in call("train", code=2, teacher=run_id).err


@pytest.mark.slow
def test_run_of_mlflow_run_has_the_reason(workspace: Workspace) -> None:
    done = workspace.execute(workspace.project("train", shift=2), 1)
    message = "--shift has been renamed; use --translate"
    assert message in done.stderr
    [run] = workspace.runs()
    assert (run.info.status, run.info.run_name) == ("FAILED", "train")
    assert message in run.data.tags[names.TAG_ERROR]
    assert message in run.data.tags[names.TAG_NOTE]
