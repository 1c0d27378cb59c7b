"""No process of this project keeps rows locked for long by standing still inside a transaction."""

import psycopg
import pytest
from django.db import InternalError, connection, transaction

from scheduler import connections
from tests.scheduler.factories import a_job
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)


def longest_idle() -> str:
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        return str(cursor.fetchone()[0])


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Limits that are as they were after the test, on a connection of its own."""
    monkeypatch.setattr(connections, "_idle", dict(connections._idle))
    return monkeypatch


@pytest.mark.usefixtures("anew")
def test_any_process_has_a_limit_and_beats_and_workers_a_shorter_one() -> None:
    assert longest_idle() == "1min"
    connections.lose_idle_transactions()
    assert longest_idle() == "5s"


def test_a_transaction_that_sits_idle_is_lost_and_its_rows_are_free(anew: pytest.MonkeyPatch) -> None:
    anew.setitem(connections._idle, "longest", "200ms")
    job = a_job()
    connection.close()
    with pytest.raises(InternalError, match="idle"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE", [job.pk])
        wait_for(lambda: seen_from_beside(job.pk), what="the row free again")
        cursor.execute("SELECT 1")
    connection.close()
    assert longest_idle() == "200ms"


def seen_from_beside(job_pk: int) -> bool:
    """Whether another connection may lock the job's state row."""

    ours = ("cursor_factory", "context")
    wanted = {key: value for key, value in connection.get_connection_params().items() if key not in ours}
    with psycopg.connect(**wanted) as beside:
        query = "SELECT 1 FROM scheduler_jobstate WHERE job_id = %s FOR UPDATE SKIP LOCKED"
        return beside.execute(query, [job_pk]).fetchone() is not None
