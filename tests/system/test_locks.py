"""One process at a time."""

from pathlib import Path

import pytest

from fmnist.errors import BadInput
from fmnist.system.locks import alone


def test_a_lock_that_cannot_be_written() -> None:
    with (
        pytest.raises(BadInput, match="name a cache_dir that can be written"),
        alone(Path("/dev/null/locks/a.lock")),
    ):
        raise AssertionError("the work must not begin")
