"""Fixtures for all rooms."""

from collections.abc import Iterator

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck
from pytest_django.plugin import DjangoDbBlocker
from redis import Redis

from tests import emptying
from tests.processes import Processes

# The same examples each time, and no example that a busy machine may not take its time over. Others are sought with
# `--hypothesis-profile=explore`.
_PATIENT = hypothesis.settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis.settings.register_profile("explore", _PATIENT)
hypothesis.settings.register_profile("same", _PATIENT, derandomize=True)
hypothesis.settings.load_profile("same")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name no test after the bytes of a file, such as an archive with the time in it: all processes need one name."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop where the marks that keep tests of one stack together are lost without a word, as between two releases."""
    if getattr(session.config.option, "loadgroup", False):
        for item in session.items:
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
                raise pytest.UsageError(f"{item.nodeid} is in no group: pytest-xdist does not go with this pytest")


@pytest.fixture(scope="session", autouse=True)
def quick() -> Iterator[None]:
    """Neither hashing passwords nor looking for all static files whenever a client is made costs the tests time."""
    with override_settings(PASSWORD_HASHERS=["tests.hashing.QuickHasher"], WHITENOISE_AUTOREFRESH=True):
        yield


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
