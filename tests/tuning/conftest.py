from pathlib import Path

import pytest

from fmnist.tuning import storage


@pytest.fixture
def url(tmp_path: Path) -> str:
    storage.quiet()
    return f"sqlite:///{tmp_path}/tune.db"
