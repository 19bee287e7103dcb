"""Progress output: counted work with an estimate of the remaining time, and named steps."""

import re

import pytest

from fmnist.system.progress import Progress, Steps, format_duration


def progress_after(seconds: float, total: int, before: int, done: int) -> Progress:
    times = iter([0.0])
    progress = Progress("folds", total, before, clock=lambda: next(times, seconds))
    progress.update(done)
    return progress


@pytest.mark.parametrize(
    ("seconds", "total", "before", "done", "text"),
    [
        (30, 5, 0, 2, "folds: 2 of 5 done, 30 s, about 45 s left"),
        (30, 5, 3, 4, "folds: 4 of 5 done, 30 s, about 30 s left"),  # resumed: 1 new in 30 s
        (30, 5, 3, 3, "folds: 3 of 5 done, 30 s"),  # unknown
        (30, 5, 0, 5, "folds: 5 of 5 done, 30 s"),
        (600, 60_000, 0, 15_000, "folds: 25% done, 10 min, about 30 min left"),
        (7, 0, 0, 0, "folds, 7 s"),
    ],
)
def test_remaining_time(seconds: float, total: int, before: int, done: int, text: str) -> None:
    assert progress_after(seconds, total, before, done).describe() == text


@pytest.mark.parametrize(
    ("done", "remaining"),
    [
        (0, ""),
        (1, ", about 90 s left"),
        (2, ", about 90 s left"),
        (5, ", about 30 s left"),
        (8, ""),
    ],
)
def test_remaining_time_of_parallel_work(done: int, remaining: str) -> None:
    times = iter([0.0])
    progress = Progress(
        "folds", 8, parallel=2, clock=lambda: next(times, 30.0 * -(-done // 2) or 5)
    )
    progress.update(done)
    assert progress.describe_remaining() == remaining


def test_skipped_parts_do_not_shorten_the_estimate() -> None:
    progress = progress_after(60, 4, 0, 1)
    progress.skip()
    assert progress.describe() == "folds: 2 of 4 done, 60 s, about 2 min left"


def test_durations() -> None:
    assert [format_duration(s) for s in (3.4, 99, 150, 3900)] == [
        "3 s",
        "99 s",
        "2 min",
        "1 h 05 min",
    ]


def test_each_step_is_one_line_with_its_seconds(capsys) -> None:
    steps = Steps()
    with steps.step("eda/near_seconds", "near-duplicates") as show:
        show(0.5)
    with pytest.raises(KeyError), steps.step("bad_seconds", "bad"):
        raise KeyError
    assert re.fullmatch(r"near-duplicates +0\.\d s\n", capsys.readouterr().out)
    assert steps.seconds.keys() == {"eda/near_seconds"}
