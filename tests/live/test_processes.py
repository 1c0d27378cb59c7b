"""The helpers that other live tests lean on, on real processes."""

import urllib.request

import pytest

from tests.processes import Processes

pytestmark = pytest.mark.live


def test_a_worker_is_ready_and_ends_in_order_when_asked(processes: Processes) -> None:
    worker = processes.worker(concurrency=1)
    assert worker.stop() == 0


def test_a_web_server_answers(processes: Processes) -> None:
    _, address = processes.web()
    with urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer:
        assert (answer.status, answer.read()) == (200, b"ok\n")
