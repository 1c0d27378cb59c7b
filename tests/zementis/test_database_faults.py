"""A database that does not answer in time is told as what passes, in each of the surface's forms."""

from __future__ import annotations

import threading

import pytest
from django.db import InterfaceError, OperationalError, connection

from tests.scheduler.threads import in_thread
from tests.zementis.conftest import Api, answer
from tests.zementis.factories import a_user
from zementis import errors
from zementis.errors import INFO

SENTENCE = "The database does not answer; try again."


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("table", "path", "body"),
    [
        ("scheduler_job", "/service/zementis/job/1", {"errors": [SENTENCE]}),
        (
            "zementis_managedobject",
            "/inventory/managedObjects/1",
            {"error": "inventory/unavailable", "message": SENTENCE, "info": INFO},
        ),
    ],
)
def test_a_lock_that_is_not_to_be_had_is_told_as_what_passes(table: str, path: str, body: dict[str, object]) -> None:
    api = Api(a_user(superuser=True))
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            held.set()
            release.wait(120)
            cursor.execute("ROLLBACK")

    holder = in_thread(hold)
    try:
        assert held.wait(20)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        response = api.get(path)
        assert (answer(response), response.headers.get("Retry-After")) == ((503, body), "5")
    finally:
        release.set()
        holder.result()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")


@pytest.mark.parametrize("fault", [OperationalError("server closed the connection"), InterfaceError("it is closed")])
def test_so_is_a_connection_that_broke(fault: Exception) -> None:
    for handler in (errors.service, errors.platform):
        response = handler(fault, {})
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
