"""`/healthz` and `/readyz`."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from scheduler.models import Process
from tests.processes import free_port


def alive(kind: str, name: str, queues: tuple[str, ...] = (), *, seconds_ago: int = 0, hostname: str = "h") -> None:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    Process.objects.create(name=name, kind=kind, hostname=hostname, pid=1, queues=list(queues), beat_at=at)


def everybody() -> None:
    alive("beat", "b1")
    alive("beat", "b2")
    alive("worker", "w1", ("services",))
    alive("worker", "w2", ("inference",))


@pytest.mark.django_db
def test_ready_when_everything_is_there(client: Client) -> None:
    everybody()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "ready": True,
            "database": True,
            "broker": True,
            "beats": 2,
            "workers": {"services": 1, "inference": 1},
            "missing": [],
        },
    )


@pytest.mark.django_db
def test_what_has_been_silent_for_15_seconds_is_missing(client: Client) -> None:
    alive("beat", "b1", seconds_ago=16)
    alive("worker", "w1", ("services",))
    alive("worker", "w2", ("inference",), seconds_ago=16)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        503,
        {
            "ready": False,
            "database": True,
            "broker": True,
            "beats": 0,
            "workers": {"services": 1, "inference": 0},
            "missing": ["beat: none alive", "worker inference: none alive"],
        },
    )


@pytest.mark.django_db
def test_a_worker_of_two_queues_counts_for_both(client: Client) -> None:
    alive("beat", "b1")
    alive("worker", "w1", ("services", "inference"))
    assert client.get("/readyz").json()["workers"] == {"services": 1, "inference": 1}


@pytest.mark.django_db
def test_processes_of_before_an_instant_are_left_out_on_request(client: Client) -> None:
    everybody()
    Process.objects.filter(name="b1").update(started_at=timezone.now() - timedelta(hours=1))
    since = str((timezone.now() - timedelta(minutes=1)).timestamp())
    assert client.get("/readyz", {"since": since}).json()["beats"] == 1


@pytest.mark.django_db
@pytest.mark.parametrize("since", ["soon", "1e99", "nan"])
def test_an_instant_that_is_none_is_refused(client: Client, since: str) -> None:
    answer = client.get("/readyz", {"since": since})
    assert (answer.status_code, answer.json()) == (400, {"error": "since: expected an instant in Unix seconds."})


@pytest.mark.django_db
def test_a_broker_that_does_not_answer_is_missing(client: Client, settings: Settings) -> None:
    everybody()
    settings.CELERY_BROKER_URL = f"redis://127.0.0.1:{free_port()}/0"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (503, ["broker: no answer"])


@pytest.mark.django_db
def test_probes_are_answered_whatever_host_they_name(client: Client) -> None:
    everybody()
    answers = [client.get(path, headers={"host": "10.2.3.4:8000"}) for path in ("/healthz", "/readyz")]
    assert [(answer.status_code, answer["Cache-Control"]) for answer in answers] == [(200, "no-store")] * 2


def test_health_needs_no_database(client: Client) -> None:
    # Without the django_db mark any query would fail the test.
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_a_container_is_alive_while_its_own_process_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "box-1")
    alive("worker", "w1", ("services",), hostname="box-2")
    with pytest.raises(CommandError, match=r"^No beat or worker of box-1 has said that it is alive\.$"):
        call_command("alive")
    alive("beat", "b1", hostname="box-1")
    assert call_command("alive") is None
