"""Claims go by index, whatever PostgreSQL believes about the tables at the moment."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from scheduler import claims, held
from scheduler.claimer import Claimer
from scheduler.connections import PREPARE_AFTER
from scheduler.models import Execution, Job, Reason
from tests.backlog import take_statistics_of_empty_tables
from tests.scheduler.beats import prepared
from tests.scheduler.factories import a_job, due

pytestmark = pytest.mark.django_db


@pytest.fixture
def claimer() -> Iterator[Claimer]:
    """A claimer that has set this test's connection up."""
    with prepared() as claimer:
        yield claimer


def plan(sql: str, parameters: list[Any]) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_what_is_due_is_read_in_the_order_of_its_index(claimer: Claimer) -> None:
    for _ in range(20):
        due(a_job())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE scheduler_jobstate")
    found = plan(claims._DUE, [10.0, 5])
    assert ("Index Scan using jobstate_due" in found, "Sort" in found) == (True, False), found


@pytest.mark.parametrize("known_jobs", [0, 20])
def test_what_others_held_is_looked_at_by_its_key(claimer: Claimer, known_jobs: int) -> None:
    take_statistics_of_empty_tables()
    for _ in range(known_jobs):
        due(a_job())
    if known_jobs:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE scheduler_jobstate")
    claimed = plan(claims._DUE_KNOWN, ["{1,2}", "{}", 5])
    listed = plan(held._STILL_DUE, [2.0, "{}", 5, "{1,2}", "{}"])
    assert ("jobstate_pkey" in claimed, "jobstate_due" in claimed) == (True, False), claimed
    assert (listed.count("jobstate_pkey"), listed.count("jobstate_due")) == (1, 1), listed


def test_clocks_of_entries_are_moved_one_by_one(claimer: Claimer) -> None:
    found = plan(claims._ENTRIES, ["{1,2}", "{3,4}", "{1,1}"])
    assert ("clockedschedule_pkey" in found, "Seq Scan" in found) == (True, False), found


def test_statements_of_claims_are_prepared(claimer: Claimer) -> None:
    for _ in range(PREPARE_AFTER + 2):
        due(a_job())
        claims.claim(limit=1)
    # As psycopg writes its parameters.
    statement = claims._DUE.replace("%s", "$1", 1).replace("%s", "$2", 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement = %s", [statement])
        assert cursor.fetchone() == (1,)


def test_a_job_that_cannot_be_worked_out_is_paused_by_a_claimer_too(claimer: Claimer) -> None:
    due(a_job())
    Job.objects.update(zone="Nowhere/Land")
    assert (claimer.claim(), Job.objects.get().active, Execution.objects.get().reason) == (1, False, Reason.MISSED)
