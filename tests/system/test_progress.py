"""Progress output: counted work with an estimate of the remaining time, and named steps."""

import re
import time
from typing import Any

import pytest

from fmnist.system.progress import Progress, Steps, format_duration


def progress_after(seconds: float, **fields: Any) -> Progress:
    return Progress("folds", started=time.monotonic() - seconds, **fields)


@pytest.mark.parametrize(
    ("seconds", "total", "before", "done", "parallel", "text"),
    [
        (30, 5, 0, 2, 1, "folds: 2 of 5 done, 30 s, about 45 s left"),
        (30, 5, 3, 4, 1, "folds: 4 of 5 done, 30 s, about 30 s left"),  # resumed: 1 new in 30 s
        (30, 5, 3, 3, 1, "folds: 3 of 5 done, 30 s"),  # unknown
        (30, 5, 0, 5, 1, "folds: 5 of 5 done, 30 s"),
        (600, 60_000, 0, 15_000, 1, "folds: 25% done, 10 min, about 30 min left"),
        (7, 0, 0, 0, 1, "folds, 7 s"),
        (30, 8, 0, 1, 2, "folds: 1 of 8 done, 30 s, about 90 s left"),
        (30, 8, 0, 2, 2, "folds: 2 of 8 done, 30 s, about 90 s left"),
        (90, 8, 0, 5, 2, "folds: 5 of 8 done, 90 s, about 30 s left"),
        (90, 8, 0, 7, 2, "folds: 7 of 8 done, 90 s"),
    ],
)
def test_remaining_time(
    seconds: float, total: int, before: int, done: int, parallel: int, text: str
) -> None:
    progress = progress_after(seconds, total=total, done=before, parallel=parallel)
    progress.update(done)
    assert progress.describe() == text


def test_parts_of_different_durations_are_estimated_late() -> None:
    progress = progress_after(60, total=4, estimate_after=0.5)
    progress.update(1)
    assert progress.describe_remaining() == ""
    progress.update(2)
    assert progress.describe_remaining() == ", about 60 s left"


def test_skipped_parts_do_not_shorten_the_estimate() -> None:
    progress = progress_after(60, total=4)
    progress.update(1)
    progress.skip()
    assert progress.describe() == "folds: 2 of 4 done, 60 s, about 2 min left"


def test_durations() -> None:
    durations = [format_duration(seconds) for seconds in (3.4, 99, 150, 3900)]
    assert durations == ["3 s", "99 s", "2 min", "1 h 05 min"]


def test_each_step_is_one_line_with_its_seconds(capsys) -> None:
    steps = Steps()
    with steps.step("eda/near_seconds", "near-duplicates") as show:
        show(0.5)
    with pytest.raises(KeyError), steps.step("bad_seconds", "bad"):
        raise KeyError
    assert re.fullmatch(r"near-duplicates +0\.\d s\n", capsys.readouterr().out)
    assert steps.seconds.keys() == {"eda/near_seconds"}
