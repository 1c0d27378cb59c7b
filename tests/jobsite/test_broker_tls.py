"""Redis with a password behind TLS, for everything that speaks to it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.conf import settings
from kombu.exceptions import OperationalError
from redis import Redis

from jobsite import celery_app, health
from jobsite.broker import PromptConnection
from jobsite.environment import Environment
from scheduler import gauges, messages
from scheduler.messages import Hint
from tests.tls import tls_door
from tests.voltmx.certificate import self_signed

ADDRESS = urlsplit(settings.CELERY_BROKER_URL)


def read(url: str, authority: Path) -> str:
    """The address as the settings read it from the environment."""
    variables = {"CELERY_BROKER_URL": url, "CELERY_BROKER_CA_FILE": str(authority)}
    return Environment(variables).broker(
        "CELERY_BROKER_URL", default="", ca_file="CELERY_BROKER_CA_FILE", checked=True
    )[0]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders with an authority's certificate each."""
    for name in ("ours", "another"):
        (tmp_path / name).mkdir()
        self_signed(tmp_path / name, "127.0.0.1")
    return tmp_path / "ours", tmp_path / "another"


@pytest.fixture
def door(folders: tuple[Path, Path]) -> Iterator[str]:
    """The tests' Redis behind TLS: its address without a query."""
    server = (ADDRESS.hostname or "", ADDRESS.port or 6379)
    ours = folders[0]
    with tls_door(server, certificate=ours / "certificate.pem", key=ours / "key.pem") as port:
        login = f"{ADDRESS.netloc.rpartition('@')[0]}@" if "@" in ADDRESS.netloc else ""
        yield f"rediss://{login}127.0.0.1:{port}{ADDRESS.path}"


@contextmanager
def using(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the whole process use this broker."""
    with monkeypatch.context() as patched:
        patched.setattr(settings, "CELERY_BROKER_URL", url)
        patched.setattr(messages, "_paused_until", 0.0)
        messages.client.cache_clear()
        try:
            yield
        finally:
            messages.client.cache_clear()


def test_hints_sweep_metrics_health_and_workers_go_over_tls(
    broker: Redis, door: str, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = read(door, folders[0] / "certificate.pem")
    with using(url, monkeypatch):
        assert messages.publish([Hint(7, "services", 0)])
        assert (messages.horizon("services")[0], gauges._lengths(["services"])) == (7, ({"services": 1}, True))
        assert health._broker_answers()
    seen: list[Any] = []
    with PromptConnection(url) as connection:
        connection.ensure_connection(max_retries=1)
        with celery_app.amqp.TaskConsumer(connection, queues=[celery_app.amqp.queues["services"]]) as consumer:
            consumer.callbacks = [lambda body, message: message.ack(), lambda body, message: seen.append(body[0])]
            connection.drain_events(timeout=60)
    assert (seen, broker.llen("services")) == ([[[7]]], 0)


def test_nothing_is_said_to_a_redis_that_another_authority_vouches_for(
    broker: Redis, door: str, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = read(door, folders[1] / "certificate.pem")
    with using(url, monkeypatch):
        assert not messages.publish([Hint(7, "services", 0)])
        assert gauges._lengths(["services"]) == ({}, False)
        assert not health._broker_answers()
    with PromptConnection(url) as connection, pytest.raises(OperationalError, match="certificate verify failed"):
        connection.ensure_connection(max_retries=1)
    assert broker.llen("services") == 0


def test_nothing_is_said_to_a_redis_whose_certificate_is_for_another_name(
    broker: Redis, door: str, folders: tuple[Path, Path]
) -> None:
    url = read(door.replace("127.0.0.1", "localhost"), folders[0] / "certificate.pem")
    with Redis.from_url(url) as client, pytest.raises(redis.ConnectionError, match="certificate verify failed"):
        client.ping()
    with PromptConnection(url) as connection, pytest.raises(OperationalError, match="certificate verify failed"):
        connection.ensure_connection(max_retries=1)


def test_a_certificate_is_checked_unless_the_address_says_otherwise() -> None:
    plain = Environment({"URL": "rediss://:pw@redis:6380/0"})
    url, options = plain.broker("URL", default="", ca_file="CA", checked=True)
    assert (url, options) == ("rediss://:pw@redis:6380/0?ssl_cert_reqs=required", {"ssl_cert_reqs": "required"})
    # Celery takes the variable as it is, and the options from the settings.
    with PromptConnection("rediss://:pw@redis:6380/0", ssl=options) as connection:
        assert connection.ssl == options
    with PromptConnection(url) as connection:
        assert connection.ssl == {"ssl_cert_reqs": ssl.CERT_REQUIRED}
