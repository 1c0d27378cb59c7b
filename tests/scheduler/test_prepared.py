"""What a worker sends for every run is prepared by PostgreSQL; everything else of its connection is not."""

import pytest
from django.db import connection

from scheduler import jobs, runner
from scheduler.connections import PREPARE_AFTER
from scheduler.models import Execution, Status
from tests.scheduler.scripted import a_scripted_job

pytestmark = pytest.mark.django_db(transaction=True)


def prepared_statements() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements WHERE NOT from_sql")
        return [row[0] for row in cursor.fetchall()]


def test_starts_and_ends_are_prepared_and_nothing_else_is(scripted: object) -> None:
    before = set(prepared_statements())
    for _ in range(PREPARE_AFTER + 1):
        assert runner.run_all([jobs.run_now(a_scripted_job(), by="tester").pk]) == 1
    found = [statement for statement in prepared_statements() if statement not in before]
    verbs = {" ".join(statement.split()[:2]) for statement in found}
    assert {"UPDATE scheduler_execution", "UPDATE scheduler_jobstate"} <= verbs
    assert not any(
        "INSERT INTO scheduler_job " in statement or "scheduler_jobchange" in statement for statement in found
    )
    assert list(Execution.objects.values_list("status", flat=True)) == [Status.SUCCEEDED] * (PREPARE_AFTER + 1)
