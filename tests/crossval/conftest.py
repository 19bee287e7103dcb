"""All tests of this folder use TensorFlow."""

import pytest


@pytest.fixture(autouse=True)
def _started(tensorflow: None) -> None:
    pass
