"""Locks between processes."""

from pathlib import Path

import pytest

from fmnist.errors import BadInput
from fmnist.system.locks import exclusive_lock


def test_unwritable_lock_file_is_rejected() -> None:
    with (
        pytest.raises(BadInput, match="writable cache_dir"),
        exclusive_lock(Path("/dev/null/locks/a.lock")),
    ):
        raise AssertionError("the block must not run")
