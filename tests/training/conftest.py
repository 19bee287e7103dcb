"""TensorFlow as the entry points start it."""

import pytest

from fmnist.training import runtime


@pytest.fixture(scope="session", autouse=True)
def tensorflow() -> None:
    runtime.start()
