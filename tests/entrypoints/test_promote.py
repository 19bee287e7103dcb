"""The decisions of `promote` and their effects on the registry."""

import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelOutput, LoggedModelStatus, Run

from fmnist import names
from fmnist.errors import BadInput, PromotionRefused, WorkFailed
from fmnist.evaluation import tables
from fmnist.options import Crossval, Promote
from fmnist.registry import run as module
from fmnist.registry.run import promote
from fmnist.results.training import FoldResult, History
from fmnist.system.locks import exclusive_lock
from fmnist.tracking.address import store_name
from fmnist.tracking.registry import Registry
from tests.helpers.registered_runs import (
    EXPERIMENT,
    VALIDATION,
    aliases,
    log_crossval_predictions,
    log_model_run,
    predictions,
)
from tests.helpers.workspace import Workspace, read_artifacts

NAME = "clothes"
Train = Callable[..., str]
Decide = Callable[..., None]


@pytest.fixture
def train(client: MlflowClient, tmp_path: Path) -> Train:
    return lambda correct, **more: log_model_run(client, tmp_path, correct, **more)


@pytest.fixture
def decide(tmp_path: Path) -> Decide:
    return lambda **options: promote(
        Promote(**{"register_as": NAME, "cache_dir": str(tmp_path)} | options)
    )


def decisions(client: MlflowClient) -> list[Run]:
    """The runs of `promote`, the newest first."""
    return client.search_runs([EXPERIMENT], f"tags.`{names.TAG_KIND}` = 'promote'")


def description(client: MlflowClient) -> str:
    """The description of the newest run of `promote`."""
    text: str = decisions(client)[0].data.tags[names.TAG_NOTE]
    return text


def test_first_model_of_a_name_has_to_pass_only_the_thresholds(client, train, decide) -> None:
    run = train(300)
    with pytest.raises(PromotionRefused, match=r"validation accuracy: expected at least 0\.8000, "):
        decide(run=run, min_val_accuracy=0.8)
    assert client.search_registered_models() == []  # a refused model is not even registered

    decide(run=run, min_val_accuracy=0.75)
    assert aliases(client, NAME) == {"challenger": 1, "champion": 1}
    version = client.get_model_version(NAME, "1")
    assert version.run_id == run
    for text in ("0.7500 (300 of 400)", "0.7500 (150 of 200)", "epochs=10", "d" * 32, "Limits"):
        assert text in version.description
    promoted, refused = decisions(client)
    for decision, name, outcome in (
        (promoted, f"promote {NAME} v1", 1),
        (refused, f"promote {NAME}", 0),
    ):
        assert (decision.info.run_name, decision.info.status) == (name, "FINISHED")
        assert decision.data.metrics[names.PROMOTED] == outcome
    assert version.tags[names.VERSION_PROMOTED_BY] == promoted.info.run_id
    assert version.tags[names.VALIDATION_STATUS] == names.APPROVED
    assert "challenger" in client.get_registered_model(NAME).description
    files = read_artifacts(client, refused)
    assert files.keys() == {names.TABLE_GATES, names.MODEL_CARD}
    assert b"validation accuracy,at least 0.8000,0.7500,False" in files[names.TABLE_GATES]


def test_champion_changes_only_for_a_significantly_better_model(client, train, decide) -> None:
    decide(run=train(300))
    # One more correct row is not significant, twenty are.
    with pytest.raises(PromotionRefused, match=r"0\.7525 against 0\.7500 on 400 validation rows"):
        decide(run=train(301))
    assert aliases(client, NAME) == {"challenger": 1, "champion": 1}
    better = train(320)
    decide(run=better)
    assert aliases(client, NAME) == {"challenger": 2, "champion": 2}
    with pytest.raises(
        PromotionRefused, match=r"0 rows correct only in the candidate, 20 only in .*, p = 1\.9e-06"
    ):
        decide(run=train(300))

    decide(run=better)
    decide()  # the newest version is the champion: nothing new
    assert len(client.search_model_versions(f"name='{NAME}'")) == 2
    assert aliases(client, NAME) == {"challenger": 2, "champion": 2}

    forced = train(10)
    decide(run=forced, force="on")
    # The challenger stays the newest that passed.
    assert aliases(client, NAME) == {"challenger": 2, "champion": 3}
    assert "by force=on, despite better than" in description(client)


def test_rollback_to_an_earlier_version(client, train, decide) -> None:
    for right in (300, 320):
        decide(run=train(right))
    decide(to_version=1)
    assert aliases(client, NAME) == {"challenger": 2, "champion": 1}
    assert "back to version 1" in client.get_model_version(NAME, "2").tags["fmnist.rolled_back"]
    with pytest.raises(PromotionRefused, match="not rolled back: expected"):
        decide()  # a scheduled promotion must not undo it
    with pytest.raises(BadInput, match="to_version=7: clothes has no such version"):
        decide(to_version=7)
    assert aliases(client, NAME)["champion"] == 1
    decide(run=client.get_model_version(NAME, "1").run_id)
    assert aliases(client, NAME) == {"challenger": 2, "champion": 1}
    decide(run=client.get_model_version(NAME, "2").run_id)  # a run that is named may return
    assert aliases(client, NAME)["champion"] == 2
    assert "fmnist.rolled_back" not in client.get_model_version(NAME, "2").tags


def test_newest_registered_version_is_the_candidate(client, train, decide) -> None:
    with pytest.raises(BadInput, match="has no version of that name"):
        decide()
    train(200, register_as=NAME)
    train(300, register_as=NAME)
    train(400)  # not registered
    with pytest.raises(PromotionRefused):
        decide(min_val_accuracy=0.9)
    tags = client.get_model_version(NAME, "2").tags
    assert tags[names.VALIDATION_STATUS] == names.REJECTED
    assert "validation accuracy: expected at least 0.9" in tags[names.VERSION_REJECTED]
    decide()
    assert aliases(client, NAME) == {"challenger": 2, "champion": 2}
    assert names.VERSION_REJECTED not in client.get_model_version(NAME, "2").tags


def test_run_with_two_models_is_rejected(client, train, decide) -> None:
    run_id = train(200)
    second = client.create_logged_model(EXPERIMENT, source_run_id=run_id)
    client.log_outputs(run_id, [LoggedModelOutput(second.model_id, step=0)])
    with pytest.raises(BadInput, match="expected a run with one complete model, got 2 models"):
        decide(run=run_id)
    assert client.search_registered_models() == []


@pytest.mark.faults
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "FAILED"}, "got a train run that is FAILED"),
        ({"model_status": LoggedModelStatus.PENDING}, "which is PENDING with 7 of 7 bytes"),
        ({"missing_bytes": 3}, "which is READY with 4 of 7 bytes"),
    ],
)
def test_incomplete_model_is_never_registered(
    client, train, decide, changes: dict[str, object], message: str
) -> None:
    run = train(300, **changes)
    with pytest.raises(BadInput, match=message):
        decide(run=run, force="on")
    assert client.search_registered_models() == []
    assert decisions(client) == []


@pytest.mark.parametrize(
    ("gate", "refused", "passed", "message"),
    [
        ("min_class_recall", 0.3, 0.2, "lowest class recall: expected at least 0.3000, got 0.2"),
        ("max_ms_per_image", 0.4, 0.5, "milliseconds per image: expected at most 0.4, got 0.5"),
        ("max_model_bytes", 6, 7, "bytes: expected at most 6, got 7"),
    ],
)
def test_other_gates(train, decide, gate: str, refused: float, passed: float, message: str) -> None:
    few_nines = [row for row in VALIDATION if row % 10 != 9 or row % 50 == 9]
    run = train(few_nines)
    with pytest.raises(PromotionRefused, match=re.escape(message)):
        decide(run=run, **{gate: refused})
    decide(run=run, **{gate: passed})


def test_gates_need_validation_predictions(client, train, decide) -> None:
    run = train(0, rows=[], validation_fraction=0.0, keep="last")
    with pytest.raises(PromotionRefused, match="got no validation predictions stored"):
        decide(run=run, min_val_accuracy=0.1)
    decide(run=run)
    with pytest.raises(PromotionRefused, match="only 0 validation rows in common; train both"):
        decide(run=train(400))
    with pytest.raises(PromotionRefused, match="version 1 was trained on other data"):
        decide(run=train(400, data="e" * 32))


def test_common_validation_rows_are_compared(client, train, decide) -> None:
    decide(run=train(range(1000, 1200), rows=range(1000, 1400)))
    with pytest.raises(PromotionRefused, match="on 150 validation rows: 0 rows correct only"):
        decide(run=train(range(1250, 1250), rows=range(1150, 1300)))
    with pytest.raises(PromotionRefused, match="only 99 validation rows in common"):
        decide(run=train(range(1301, 1701), rows=range(1301, 1701)))
    decide(run=train(range(1300, 1400), rows=range(1300, 1700)))
    assert "on 100 validation rows: 100 rows correct only" in description(client)


def test_cross_validations_replace_common_validation_rows(client, train, decide, tmp_path) -> None:
    """Two seeds, few rows in common, but each configuration has been cross-validated."""
    decide(run=train(400, rows=range(0, 400), dropout=0.4))
    for dropout, right in ((0.0, range(0, 1000)), (0.4, range(0, 900))):
        log_crossval_predictions(
            client, tmp_path, out_of_fold(right), Crossval(seed=5, dropout=dropout).as_text()
        )
    run = train(400, rows=range(400, 800), seed=1)
    decide(run=run)
    assert "on 1,000 out-of-fold rows" in description(client)
    assert aliases(client, NAME)["champion"] == 2


def out_of_fold(correct_rows: range) -> bytes:
    """The table of a cross-validation of 1,000 rows with two folds and two repeats."""
    folds = [np.arange(0, 500), np.arange(500, 1000)]
    history = History(({names.TRAIN_LOSS: 1.0},))
    results = [
        FoldResult(repeat, fold, history, rows, evaluation, evaluation, 1.0, 1, 1.0)
        for repeat, correct in ((1, correct_rows), (2, range(0)))
        for fold, rows in enumerate(folds, start=1)
        for evaluation in [predictions(rows, correct)]
    ]
    return tables.out_of_fold_parquet(results)


def test_champion_without_its_run_is_replaced_only_by_force(client, train, decide) -> None:
    decide(run=train(300))
    lost = client.get_model_version(NAME, "1").run_id
    client.create_registered_model("foreign")
    client.create_model_version("foreign", "s3://elsewhere/model", "0" * 32)
    client.set_registered_model_alias("foreign", "champion", "1")
    with pytest.raises(PromotionRefused, match="the run of version 1 is not in this"):
        decide(run=lost, register_as="foreign")
    decide(run=lost, register_as="foreign", force="on")
    assert aliases(client, "foreign") == {"champion": 2}


@pytest.mark.faults
def test_champion_that_has_changed_is_not_overwritten(client, train, decide) -> None:
    """Another machine may change it: the lock only excludes processes of this one."""
    decide(run=train(300))
    registry = Registry(client, NAME)
    seen = registry.champion()
    decide(run=train(320))
    with pytest.raises(WorkFailed, match="version 2 the champion of clothes in the meantime"):
        registry.set_champion(1, seen)
    assert aliases(client, NAME)["champion"] == 2


@pytest.mark.faults
def test_promotions_of_one_name_wait_for_each_other(train, decide, tmp_path, monkeypatch) -> None:
    run = train(300)
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0)
    with exclusive_lock(tmp_path / "locks" / f"promote-{store_name()}-{NAME}.lock"):
        with pytest.raises(WorkFailed, match=f"process {os.getpid()} is already running"):
            decide(run=run)
        decide(run=run, register_as="another")
    decide(run=run)


def test_long_model_card_is_cut_to_the_limit_of_the_registry(client, train, decide) -> None:
    decide(run=train(300, model="vgg16", weights="w" * 4000))
    version = client.get_model_version(NAME, "1")
    assert len(version.description) == 5000
    [run] = decisions(client)
    assert version.description.endswith(f"model_card.md of run {run.info.run_id}.")
    assert b"No gates were requested." in read_artifacts(client, run)[names.MODEL_CARD]


def test_invalid_options_are_rejected(decide) -> None:
    with pytest.raises(BadInput, match="register_as=none: expected a registered model name"):
        decide(register_as="none")
    with pytest.raises(BadInput, match="leave one out"):
        decide(run="0" * 32, to_version=3)
    with pytest.raises(BadInput, match="no such run in this tracking store"):
        decide(run="0" * 32)


@pytest.mark.faults
@pytest.mark.slow
def test_two_promotions_at_once_leave_the_better_model(workspace: Workspace) -> None:
    """Two processes; whichever is first, the better model is the champion at the end."""
    client, folder = workspace.client, workspace.folder
    first, good, best = (log_model_run(client, folder, n) for n in (300, 330, 360))
    common = {"register_as": NAME, "cache_dir": workspace.folder}
    workspace.execute(workspace.script("promote", run=first, **common))
    better, worse = (workspace.script("promote", run=run, **common) for run in (best, good))
    with ThreadPoolExecutor(2) as pool:
        done = pool.submit(workspace.execute, better), pool.submit(workspace.execute, worse, 0, 4)
    assert [each.exception() for each in done] == [None, None]
    champion = aliases(client, NAME)["champion"]
    assert client.get_model_version(NAME, str(champion)).run_id == best
    assert len(decisions(client)) == 3
