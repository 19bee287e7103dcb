"""What one `compare` leaves behind, on a file and on a server, and what it refuses."""

import csv
import json
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run

from fmnist import names
from fmnist.comparison.build import FILES
from fmnist.data import dataset
from fmnist.options import Compare, Crossval, Train
from fmnist.results.training import Evaluation
from tests.entrypoints.conftest import Bench
from tests.helpers.logged_runs import answers, log_crossval, log_eda, log_train, store_at

pytestmark = pytest.mark.slow

VGG = Train(model="vgg16", weights="none")

# Runs the entry point as `python -m` does and says afterwards whether TensorFlow was imported.
WATCHED = """
import runpy, sys
try:
    runpy.run_module("entrypoints.compare", run_name="__main__", alter_sys=True)
finally:
    heavy = {name.partition(".")[0] for name in sys.modules} & {"tensorflow", "keras", "torch"}
    print("imported:", sorted(heavy))
"""


def labeled(data_dir: Path, right: int, seed: int) -> Evaluation:
    """Answers to the small data set's test images, so many of them right."""
    made, labels = answers(right, seed=seed), dataset.load(str(data_dir), "auto").test.labels
    order = np.empty(len(labels), dtype=np.int64)
    order[np.argsort(labels, kind="stable")] = np.argsort(made.labels, kind="stable")
    return Evaluation(made.labels[order], made.probabilities[order])


def fill(bench: Bench) -> list[str]:
    """Two models, one of them with its model and its cross-validation; the ids, best first."""
    digest = dataset.load(str(bench.data_dir), "auto").digest
    with store_at(bench.store):
        best = log_train(Train(), labeled(bench.data_dir, 180, 0), data=digest)
        model = bench.client.create_logged_model("0", source_run_id=best)
        bench.client.log_outputs(best, [mlflow.entities.LoggedModelOutput(model.model_id, 3)])
        other = log_train(VGG, labeled(bench.data_dir, 100, 1), data=digest)
        log_crossval(Crossval(folds=2), [0.8, 0.9], data=digest)
        log_eda(4, digest)
    return [best, other]


def compared(bench: Bench) -> Run:
    [run] = [run for run in bench.runs() if run.data.tags.get(names.TAG_KIND) == "compare"]
    return run


def held(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_project_run_on_a_server_with_proxied_artifacts(bench: Bench, server: str) -> None:
    bench.environment["MLFLOW_TRACKING_URI"] = server
    ids = fill(bench)
    done = bench.finish(bench.mlflow("compare", output_dir=bench.folder / "out put"))
    assert done.returncode == 0, done.stdout + done.stderr
    run = compared(bench)
    assert run.info.status == "FINISHED"
    assert run.data.params.keys() == Compare.model_fields.keys()
    assert run.data.tags[names.TAG_COMPARED] == ",".join(ids[::-1])
    assert run.data.tags[names.TAG_NOTE].startswith("**LeNet-5 (lenet5) answers 90.00 % of the 200")
    assert f"| [lenet5]({server}/#/experiments/0/runs/{ids[0]}) |" in run.data.tags[names.TAG_NOTE]
    logged = {k: v for k, v in run.data.metrics.items() if not k.startswith("system/")}
    assert logged.pop(names.COMPARE_SECONDS) > 0
    assert logged == {names.CONTENDERS: 2, names.LEFT_OUT: 0, names.BEST_TEST_ACCURACY: 0.9}
    [model] = bench.client.get_run(run.info.run_id).inputs.model_inputs
    assert bench.client.get_logged_model(model.model_id).source_run_id == ids[0]

    files = held(Path(bench.client.download_artifacts(run.info.run_id, "")))
    assert files.keys() == FILES
    assert held(bench.folder / "out put") == files
    lines = list(csv.DictReader(files[names.TABLE_COMPARISON].decode().splitlines()))
    assert [line["run_id"] for line in lines] == ids
    assert lines[0]["run_link"] == f"{server}/#/experiments/0/runs/{ids[0]}"
    told = json.loads(files[names.TABLE_COMPARISON_JSON])
    assert {"cross-validation", "near-duplicates"} <= {each["topic"] for each in told["findings"]}
    assert b"vgg16 (random weights)" in files[names.COMPARISON_PAGE]


def test_a_file_store_without_tensorflow_and_without_the_data(bench: Bench) -> None:
    best, other = fill(bench)
    done = bench.finish(["python", "-c", WATCHED, *bench.python("compare")[3:]])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "imported: []" in done.stdout
    files = held(Path(bench.client.download_artifacts(compared(bench).info.run_id, "")))
    assert files.keys() == FILES

    nowhere = bench.folder / "nowhere"
    bench.environment["FMNIST_DATA_DIR"] = str(nowhere)
    named = f"{other},{best}"
    done = bench.finish(bench.python("compare", data_dir="auto", runs=named, output_dir="out"))
    assert done.returncode == 0, done.stderr
    assert "compare: without images, for there are no data: FMNIST_DATA_DIR" in done.stdout
    assert held(bench.folder / "out").keys() == FILES - {names.FIGURE_DISAGREEMENTS}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "found none; first run\n  mlflow run . -e train --env-manager local\n"),
        ({"runs": "abc"}, "runs=abc: no such run on the tracking store sqlite:///"),
        ({"models": "vgg17"}, "models=vgg17: wanted all, or some of lenet5, convnet, vgg16"),
        ({"models": "vgg16", "runs": "abc"}, "leave one of both out"),
        ({"experiments": "none"}, "experiments=none: no such experiment"),
        ({"output_dir": "."}, "it contains mlflow.db"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_is_one_message_and_no_run(bench: Bench, options: dict, words: str) -> None:
    (bench.folder / "mlflow.db").touch()
    done = bench.finish(bench.python("compare", **options))
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("compare: ")
    assert "Traceback" not in done.stderr
    assert bench.runs() == []
