"""A worker's host cut off from its servers: its runs are rescued elsewhere, its late ends refused, and it rejoins."""

import socket
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from scheduler import jobs
from scheduler.models import Execution, Status
from tests.live.cable import cable
from tests.live.servers import own_redis
from tests.live.watching import a_gate, effects, ended, open_gate, pass_seconds, running
from tests.processes import Processes
from tests.scheduler.factories import a_job
from tests.waiting import wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

QUICK = {"SCHEDULER_LEASE_SECONDS": "3"}


def to_postgresql() -> socket.socket:
    """A connection to the server of the test's database, wherever it listens."""
    config = connection.settings_dict
    host = config["HOST"] or config.get("OPTIONS", {}).get("host", "")
    port = int(config["PORT"] or 5432)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    local = socket.socket(socket.AF_UNIX)
    local.connect(f"{host}/.s.PGSQL.{port}")
    return local


def test_a_worker_cut_off_from_postgresql_loses_its_runs_and_rejoins_by_itself(processes: Processes) -> None:
    config = connection.settings_dict
    with cable(to_postgresql) as line:
        gate = a_gate("g")
        fails = jobs.run_now(a_job(arguments={"gate": gate, "deaf": True, "patient": True}), by="tester")
        again = jobs.run_now(a_job(arguments={"gate": gate, "deaf": True, "patient": True}, max_retries=1), by="tester")
        login = f"{config['USER']}:{config['PASSWORD']}" if config["PASSWORD"] else config["USER"]
        address = f"postgresql://{login}@127.0.0.1:{line.port}/{config['NAME']}"
        cut_off = processes.worker(DATABASE_URL=address, **QUICK)
        processes.beats(1, **QUICK)
        running(fails.pk, again.pk)
        line.unplug()
        processes.worker(**QUICK)
        wait_for(lambda: effects()[again.pk, 2], what="the second attempt elsewhere")
        open_gate(gate)
        assert ended(fails.pk, again.pk) == {fails.pk: Status.FAILED, again.pk: Status.SUCCEEDED}
        before = list(Execution.objects.order_by("pk").values())
        line.plug_in()
        cut_off.wait_for_line(r"run\.(end_refused|abandoned|interrupted)")
        assert list(Execution.objects.order_by("pk").values()) == before
        # It takes messages again.
        more = [jobs.run_now(a_job(), by="tester").pk for _ in range(30)]
        assert set(ended(*more).values()) == {Status.SUCCEEDED}

        def rejoined() -> bool:
            jobs.run_now(a_job(), by="tester")
            runs = Execution.objects.filter(worker__contains=f":{cut_off.pid}:", status=Status.SUCCEEDED)
            return runs.exists()

        wait_for(rejoined, every=0.2, what="a run by the worker that was cut off")


def test_a_worker_cut_off_from_redis_ends_what_it_has_and_rejoins_by_itself(processes: Processes) -> None:
    with own_redis() as server:
        address = urlsplit(server.url)
        with cable(lambda: socket.create_connection(("127.0.0.1", address.port or 0))) as line:
            login, _, _ = address.netloc.rpartition("@")
            through_line = address._replace(netloc=f"{login}@127.0.0.1:{line.port}").geturl()
            gate = a_gate("g")
            held = jobs.run_now(a_job(arguments={"gate": gate}), by="tester")
            processes.beats(1, CELERY_BROKER_URL=server.url)
            cut_off = processes.worker(concurrency=2, CELERY_BROKER_URL=through_line)
            running(held.pk)
            line.unplug()
            waiting = jobs.run_now(a_job(), by="tester")
            pass_seconds(6)
            open_gate(gate)
            assert ended(held.pk) == {held.pk: Status.SUCCEEDED}
            waiting.refresh_from_db()
            assert waiting.status == Status.QUEUED
            line.plug_in()
            assert ended(waiting.pk) == {waiting.pk: Status.SUCCEEDED}
            assert cut_off.returncode is None
            assert effects() == {(held.pk, 1): 1, (waiting.pk, 1): 1}


def test_the_settings_give_up_a_server_whose_network_is_gone() -> None:
    options = settings.DATABASES["default"]["OPTIONS"]
    assert options["tcp_user_timeout"] <= 20_000
    assert options["connect_timeout"] <= 10
