"""Tests leave nothing behind: what the checks in tests/helpers/checkout.py find."""

from pathlib import Path

from tests.helpers.checkout import changes, snapshot


def test_created_removed_and_changed_files_are_found(tmp_path: Path) -> None:
    for name in ("removed.db", "changed.db", "edited.py"):
        (tmp_path / name).write_text("before")
    before = snapshot(tmp_path)
    (tmp_path / "removed.db").unlink()
    for name in ("changed.db", "edited.py"):
        (tmp_path / name).write_text("afterwards")
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "module.pyc").touch()
    found = [path.name for path in changes(before, snapshot(tmp_path))]
    assert found == ["changed.db", "mlruns", "removed.db"]


def test_home_caches_and_working_directory_are_temporary(tmp_path: Path, suite_dir: Path) -> None:
    import matplotlib
    import platformdirs

    for path in (
        Path.home(),
        platformdirs.user_cache_path("fmnist"),
        platformdirs.user_state_path("fmnist"),
        Path(matplotlib.get_configdir()),
        Path(matplotlib.get_cachedir()),
    ):
        assert path.is_relative_to(suite_dir)
    assert Path.cwd() == tmp_path
