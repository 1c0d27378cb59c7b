"""Hosts of workers cut off from a server for a minute: runs go on elsewhere, late ends are refused, they rejoin."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from django.conf import settings

from scheduler import clock, jobs
from scheduler.models import Attempt, Execution, Process, Status
from tests.http_server import PatientServer
from tests.live.hosts import worker_behind, worker_behind_proxy
from tests.live.watching import a_gate, effects, ended, open_gate, running
from tests.processes import Processes
from tests.scheduler.factories import a_job
from tests.waiting import wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

AWAY = timedelta(seconds=60)


def requested(queue: str, *, many: int = 1, **changes: Any) -> list[int]:
    """Runs of as many jobs, asked for now."""
    return [jobs.run_now(a_job(queue=queue, **changes), by="tester").pk for _ in range(many)]


def rows(ids: Sequence[int]) -> list[Any]:
    return list(Execution.objects.filter(pk__in=ids).order_by("pk").values())


def statuses(*ids: int) -> set[int]:
    return set(Execution.objects.filter(pk__in=ids).values_list("status", flat=True))


def test_hosts_cut_off_from_postgresql_and_from_redis_for_a_minute_lose_and_double_nothing_and_rejoin(
    processes: Processes,
) -> None:
    gate = a_gate("g")
    deaf = {"gate": gate, "deaf": True, "patient": True}
    processes.beats(1)
    with (
        # Each serves a queue that others serve too, and one that is its own.
        worker_behind("postgres", processes, queues="one,one-alone") as one,
        worker_behind("redis", processes, queues="two,two-alone") as two,
    ):
        [fails] = requested("one", arguments=deaf)
        [again] = requested("one", arguments=deaf, max_retries=1)
        [goes_on] = requested("two", arguments={"gate": gate})
        running(fails, again, goes_on, deadline=60)
        # The one has no thread free for these; the two has.
        waiting = requested("one", many=4)
        one.cut()
        two.cut()
        back = clock.exact_now() + AWAY
        waiting += requested("two", many=2)
        later = requested("one-alone") + requested("two-alone")
        processes.worker(queues="one,two")
        # Elsewhere, while they are away: the one's runs are rescued, what waited is run, and the two ends what it has.
        wait_for(lambda: effects()[again, 2], deadline=60, what="the second attempt elsewhere")
        assert set(ended(*waiting, deadline=60).values()) == {Status.SUCCEEDED}
        [rescued] = Attempt.objects.all()
        assert (rescued.execution_id, rescued.message.split(" was ")[1]) == (
            again,
            "lost during attempt 1: its lease ran out",
        )
        wait_for(lambda: clock.exact_now() >= back, deadline=90, every=0.5, what="the end of the minute")
        held = Execution.objects.get(pk=goes_on)
        assert (held.status, held.attempt, statuses(*later)) == (Status.RUNNING, 1, {Status.QUEUED})
        assert held.lease_until is not None
        assert held.lease_until > back - timedelta(seconds=settings.SCHEDULER_LEASE_SECONDS)
        open_gate(gate)
        assert ended(fails, again, goes_on, deadline=60) == {
            fails: Status.FAILED,
            again: Status.SUCCEEDED,
            goes_on: Status.SUCCEEDED,
        }
        before = rows([fails, again, goes_on, *waiting])
        one.mend()
        two.mend()
        one.worker.wait_for_line(r"run\.(end_refused|abandoned|interrupted)", deadline=60)
        assert set(ended(*later, deadline=60).values()) == {Status.SUCCEEDED}
        assert rows([fails, again, goes_on, *waiting]) == before
        assert (one.worker.returncode, two.worker.returncode) == (None, None)
        assert Process.objects.of_kind(Process.Kind.WORKER).count() == 3
    once = (fails, again, goes_on, *waiting, *later)
    assert effects() == {(again, 2): 1, **{(pk, 1): 1 for pk in once}}


class Service(PatientServer):
    """Notes which attempt of which run each request came from, and asks for more until it has had enough."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Requests)
        self.came: list[tuple[int, int]] = []
        self.enough = threading.Event()

    def of(self, execution_id: int) -> list[int]:
        """The attempts that the requests of a run came from, in their order."""
        return [attempt for pk, attempt in list(self.came) if pk == execution_id]

    def goes_on(self, execution_id: int) -> None:
        """Wait for some more requests of the run."""
        so_far = len(self.of(execution_id))
        wait_for(lambda: len(self.of(execution_id)) > so_far + 50, what="more requests of a run")


class Requests(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        _, execution_id, attempt = self.path.split("/")
        self.server.came.append((int(execution_id), int(attempt)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"enough" if self.server.enough.is_set() else b"again")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def a_service() -> Iterator[tuple[Service, str]]:
    with Service() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        try:
            yield service, f"http://127.0.0.1:{service.server_port}"
        finally:
            service.shutdown()


def test_a_worker_that_gets_no_answer_from_postgresql_keeps_time_limits_and_stops_what_goes_on_elsewhere(
    processes: Processes,
) -> None:
    lease: Any = {"SCHEDULER_LEASE_SECONDS": "6"}
    processes.beats(1, **lease)
    with a_service() as (service, url), worker_behind_proxy(processes, queues="one", **lease) as one:
        [limited] = requested("one", arguments={"calls": url, "deaf": True}, timeout_seconds=5)
        [again] = requested("one", arguments={"calls": url, "deaf": True}, max_retries=1)
        wait_for(lambda: service.of(limited) and service.of(again), deadline=60, what="both at work")
        at_cut = service.of(again)[-1]
        one.cut()
        processes.worker(queues="one", **lease)
        # The lease is over before anybody can tell the worker so, and so is the time limit.
        one.worker.wait_for_line(rf"run.abandoned execution_id={again} why=Stop.LAPSED", deadline=60)
        one.worker.wait_for_line(rf"run.abandoned execution_id={limited} why=Stop.TIMED_OUT", deadline=60)
        wait_for(lambda: service.of(again)[-1] > at_cut, what="requests of the attempt elsewhere")
        for _ in range(2):
            # The second time nothing of the limited run is on its way any more.
            before = len(service.of(limited))
            service.goes_on(again)
        assert len(service.of(limited)) == before
        came = service.of(again)
        assert came == sorted(came)
        service.enough.set()
        one.mend()
        assert ended(limited, again, deadline=60) == {limited: Status.FAILED, again: Status.SUCCEEDED}
        assert one.worker.returncode is None


def test_the_settings_give_up_a_server_whose_network_is_gone() -> None:
    options: Any = settings.DATABASES["default"]["OPTIONS"]
    assert options["tcp_user_timeout"] <= 20_000
    assert options["connect_timeout"] <= 10
