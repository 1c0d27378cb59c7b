"""Lanes that hold what a message names, and start ahead of themselves, as a test says and not as the machine's pace."""

import threading
from collections.abc import Sequence

import pytest

from scheduler import lanes


class _Done(threading.Event):
    """The end of an errand, waited for until the hold is over, and then only for a moment at a time."""

    def __init__(self, over: threading.Event) -> None:
        super().__init__()
        self._over = over

    def wait(self, timeout: float | None = None) -> bool:
        while not super().wait(0.01):
            if self._over.is_set():
                return False
        return True


@pytest.fixture
def hold_over(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set it, and what no lane has begun by then is handed on."""
    over = threading.Event()

    class Errand(lanes.Errand):
        def __init__(self, ids: Sequence[int]) -> None:
            super().__init__([])
            self._left, self.done = len(ids), _Done(over)

    monkeypatch.setattr(lanes, "Errand", Errand)
    return over


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many runs are started at once as a quick pace allows at most."""
    monkeypatch.setattr(lanes, "AHEAD_SECONDS", float(lanes.MOST_AT_ONCE))
