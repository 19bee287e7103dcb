"""The SQL statements of a test."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, event


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The SQL statements that this process has executed."""
    executed: list[str] = []

    def listen(_c: object, _u: object, statement: str, *_: object) -> None:
        executed.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    yield executed
    event.remove(Engine, "before_cursor_execute", listen)
