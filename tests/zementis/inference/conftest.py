"""Fixtures of the model engines."""

from collections.abc import Iterator

import pytest

from zementis.inference import jvm


@pytest.fixture(scope="session", autouse=True)
def java() -> Iterator[None]:
    """One Java process for all tests, gone after the last."""
    yield
    jvm.stop()
