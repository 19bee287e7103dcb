"""Lists stay short and comparisons readable, however many runs were found."""

from dataclasses import replace

import pytest

from fmnist import names
from fmnist.comparison import select
from fmnist.errors import BadInput
from fmnist.options import Train
from fmnist.results.runs import FoundRun


def found(number: int, options: Train, status: str = "FINISHED", **parameters: str) -> FoundRun:
    return FoundRun(
        run_id=f"{number:032x}",
        name=f"run {number}",
        kind="train",
        link=None,
        status=status,
        done=status == "FINISHED",
        started_at=float(-number),
        parameters=options.as_text() | parameters,
        tags={names.TAG_DATA_DIGEST: "d", names.TAG_CONFIG_DIGEST: str(options)},
        metrics={},
        model_id=None,
    )


def test_too_many_configurations_are_refused() -> None:
    runs = [found(seed, Train(seed=seed)) for seed in range(51)]
    assert len(select.newest(runs[:50], ()).candidates) == 50
    with pytest.raises(BadInput, match="at most 50 configurations to compare, found 51; name some"):
        select.newest(runs, ())
    assert len(select.newest(runs, ("vgg16",)).candidates) == 0
    with pytest.raises(BadInput, match="at most 50 to compare, got 51"):
        select.named(runs)


def test_what_lacks_a_technique_on_purpose_is_left_out() -> None:
    lacking = found(1, Train(recipe="strong", flip="off"))
    lacking = replace(lacking, tags=lacking.tags | {names.TAG_ABLATION: "flip"})
    chosen = select.newest([lacking, found(2, Train(recipe="strong"))], ())
    assert [each.found.name for each in chosen.candidates] == ["run 2"]
    assert [(each.name, each.reason) for each in chosen.left_out] == [
        ("1 run", "they were trained to tell what a technique adds")
    ]
    assert len(select.named([lacking]).candidates) == 1


def test_what_is_left_out_is_listed_and_counted() -> None:
    runs = [found(seed, Train(seed=seed), "FAILED") for seed in range(13)]
    runs += [found(20, Train()), found(21, Train()), found(40, Train(seed=40))]
    runs += [found(41, Train(seed=40), "KILLED"), found(42, Train(), dropout="much")]
    chosen = select.newest(runs, ())
    assert [each.found.run_id for each in chosen.candidates] == [runs[13].run_id, runs[15].run_id]
    told = [(each.name, each.reason) for each in chosen.left_out]
    assert told[:10] == [(f"run {seed}", "it is FAILED") for seed in range(10)]
    assert told[10] == ("3 more runs", "they have not finished")
    assert told[11][0] == "run 42"
    assert told[11][1].startswith("dropout=much: input should be a valid number")
    assert told[12:] == [("1 run", "a newer run of the same configuration is compared")]
    assert len(chosen.left_out) == 13
