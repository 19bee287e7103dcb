from pathlib import Path

import pytest

from fmnist.tuning import study as studies


@pytest.fixture
def url(tmp_path: Path) -> str:
    studies.configure_optuna()
    return f"sqlite:///{tmp_path}/tune.db"
