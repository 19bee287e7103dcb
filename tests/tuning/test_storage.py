"""The database of searches: where it is, and that its password stays out of sight."""

from pathlib import Path

import pytest

from fmnist import names
from fmnist.errors import BadInput, WorkFailed
from fmnist.tuning import storage


def test_a_bare_postgresql_is_the_driver_that_is_installed() -> None:
    assert storage.address("postgresql://me@host/db") == "postgresql+psycopg2://me@host/db"


def test_the_environment_may_hold_the_password(monkeypatch) -> None:
    monkeypatch.setenv(names.STUDY_STORAGE, "postgresql://me:secret@host/db")
    assert "secret" in storage.address("auto")


def test_a_password_in_an_option_is_refused_unseen() -> None:
    with pytest.raises(BadInput, match=names.STUDY_STORAGE) as refused:
        storage.address("postgresql://me:secret@host/db")
    assert "secret" not in str(refused.value)


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(BadInput, match="wanted the URL of a database"):
        storage.address("tune.db")


def test_a_database_out_of_reach_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkFailed, match="cannot be used"):
        storage.opened(f"sqlite:///{tmp_path}/missing/tune.db")


def test_a_database_without_driver_is_told() -> None:
    with pytest.raises(BadInput, match="no driver"):
        storage.opened("oracle://host/db")
