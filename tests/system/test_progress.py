"""Progress output of named steps."""

import io
import re

import pytest

from fmnist.system.progress import Steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_each_step_is_one_line_with_its_seconds() -> None:
    stream = io.StringIO()
    steps = Steps(stream)
    with steps.step("first_seconds") as show:
        show(0.5)
    with steps.step("second_seconds"):
        pass
    assert re.fullmatch(r"first_seconds +0\.\d s\nsecond_seconds +0\.\d s\n", stream.getvalue())
    assert steps.seconds.keys() == {"first_seconds", "second_seconds"}


def test_terminal_shows_the_percentage_in_place() -> None:
    stream = Terminal()
    with Steps(stream).step("long_seconds") as show:
        show(0.25)
    shown = stream.getvalue().split("\r")
    assert [text.strip() for text in shown[1:3]] == [
        "long_seconds                  0%",
        "long_seconds                 25%",
    ]
    assert shown[-1].endswith(" s\n")


def test_failed_step_is_not_timed() -> None:
    steps = Steps(io.StringIO())
    with pytest.raises(KeyError), steps.step("bad_seconds"):
        raise KeyError
    assert steps.seconds == {}
