"""Which runs are selected, and how excluded runs are listed."""

from dataclasses import replace
from itertools import chain

import pytest

from fmnist import names
from fmnist.comparison.select import MAX_MODELS, select_by_id, select_newest
from fmnist.errors import BadInput
from fmnist.options import Train
from fmnist.results.runs import RunRecord
from tests.helpers.comparisons import record


def stored(options: Train, status: str = "FINISHED", **parameters: str) -> RunRecord:
    tags = {names.TAG_DATA_DIGEST: "d", names.TAG_CONFIG_DIGEST: str(options)}
    run = record(tags=tags, parameters=options.as_text() | parameters)
    return replace(run, status=status, is_finished=status == "FINISHED")


def test_too_many_configurations_are_rejected() -> None:
    runs = [stored(Train(dropout=n / 100)) for n in range(MAX_MODELS + 1)]
    assert len(select_newest(runs[1:], ())[0]) == MAX_MODELS
    with pytest.raises(BadInput, match=f"at most {MAX_MODELS} models .* got 51"):
        select_newest(runs, ())
    assert select_newest(runs, ("vgg16",)) == ([], [])
    with pytest.raises(BadInput, match=f"at most {MAX_MODELS} models, got 51"):
        select_by_id(runs)


def test_runs_of_an_ablation_are_compared_only_if_named() -> None:
    ablation = stored(Train(recipe="strong", flip="off"))
    ablation = replace(ablation, tags=ablation.tags | {names.TAG_ABLATION: "flip"})
    other = stored(Train(recipe="strong"))
    [[selected]], [excluded] = select_newest([ablation, other], ())
    assert selected.record == other
    assert excluded.name == "1 run"
    assert "ablation" in excluded.reason
    assert len(select_by_id([ablation])[0]) == 1


def test_excluded_runs_are_listed_up_to_ten_and_then_counted() -> None:
    runs = [stored(Train(seed=seed), "FAILED") for seed in range(13)]
    runs += [stored(Train()), stored(Train()), stored(Train(seed=40))]
    runs += [stored(Train(seed=40), "KILLED"), stored(Train(), dropout="much")]
    models, excluded = select_newest(runs, ())
    assert [each.record for each in chain(*models)] == [runs[13], runs[15]]
    listed = [(run.name, run.reason) for run in excluded]
    assert listed[:10] == [(run.name, "status FAILED") for run in runs[:10]]
    assert listed[10] == ("3 more runs", "not finished")
    assert listed[11][0] == runs[17].name
    assert "dropout=much" in listed[11][1]
    assert listed[12][0] == "1 run"
    assert "newer run with the same options and seed" in listed[12][1]
    assert len(listed) == 13
