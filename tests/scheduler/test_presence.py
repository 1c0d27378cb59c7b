"""A worker's own row: it says that the worker is alive for as long as it is."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError

from scheduler import clock, processes, worker
from scheduler.models import Process
from scheduler.worker import Presence
from tests.waiting import NOISE, PATIENCE, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("error", [OperationalError("the server is gone"), RuntimeError("anything else")])
def test_a_worker_stays_present_whatever_a_renewal_meets(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(worker, "RENEW_EVERY_SECONDS", 0.05)
    renew = processes.renew
    calls: list[int] = []

    def failing_at_first(*arguments: Any, **keywords: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise error
        renew(*arguments, **keywords)

    monkeypatch.setattr(processes, "renew", failing_at_first)
    presence = Presence(queues=["services"], slots=2, pool="thread", node="worker@here")
    presence.start()
    row = wait_for(lambda: Process.objects.first(), what="the worker's row")
    assert (row.name, row.slots, clock.now() - row.beat_at < timedelta(seconds=10) + NOISE) == (presence.name, 2, True)
    presence.stop()
    presence.join(PATIENCE)
    assert (presence.is_alive(), Process.objects.count()) == (False, 0)
