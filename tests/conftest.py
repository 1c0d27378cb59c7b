"""Fixtures for all rooms."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker
from redis import Redis

from tests import emptying
from tests.processes import Processes


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Tests that commit empty every table at their end, which the audit refuses."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER accounts_audit_table")
        emptying.install()


@pytest.fixture
def broker() -> Iterator[Redis]:
    """A client of the tests' Redis, emptied before and after; what was published before the test is forgotten."""
    from scheduler import messages

    messages._lengths.clear()
    with Redis.from_url(settings.CELERY_BROKER_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def processes(transactional_db: None, broker: Redis) -> Iterator[Processes]:
    """Real workers, beats and web servers on the test's database and an empty Redis, all ended after the test."""
    started = Processes()
    yield started
    started.close()
