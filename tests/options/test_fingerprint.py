"""The configuration digest changes exactly with what decides the result."""

from fmnist.options import Train, configuration_digest
from fmnist.options import fingerprint as digest

DATA = "0" * 32


def test_only_what_affects_the_result_counts() -> None:
    plain = configuration_digest(Train(), DATA)
    assert plain == configuration_digest(Train(cache_dir="elsewhere", register_as="x"), DATA)
    assert plain != configuration_digest(Train(seed=1), DATA)
    assert plain != configuration_digest(Train(), "1" * 32)
    assert len(plain) == 32


def test_comments_and_docstrings_are_not_code() -> None:
    bare = digest._essence("def f(x: int) -> int:\n    return x + 1\n")
    told = digest._essence(
        '"""What."""\n# Why.\ndef f(x: int) -> int:\n    "How."\n    return x + 1\n'
    )
    assert bare == told
    assert bare != digest._essence("def f(x: int) -> int:\n    return x + 2\n")


def test_code_counts(monkeypatch) -> None:
    plain = configuration_digest(Train(), DATA)
    digest._rooms.cache_clear()
    monkeypatch.setattr(digest, "_ROOMS", ("data", "models"))
    assert configuration_digest(Train(), DATA) != plain
    digest._rooms.cache_clear()
