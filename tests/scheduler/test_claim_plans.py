"""Claims go by index, whatever PostgreSQL believes about the tables at the moment."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from scheduler import claims, held
from scheduler.claimer import Claimer
from scheduler.connections import PREPARE_AFTER
from scheduler.due import to_microseconds
from scheduler.models import Execution, Job, Reason
from tests.backlog import queue_up, take_statistics_of_empty_tables
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


@pytest.mark.parametrize("known_rows", [0, 300])
def test_rows_that_instants_have_are_looked_for_job_by_job(claimer: Claimer, known_rows: int) -> None:
    take_statistics_of_empty_tables()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE scheduler_execution")
    if known_rows:
        queue_up(a_job(), known_rows)
    found = plan(claims._RECORDED, ["{1,2}", "{3,4}", 5])
    condition = found.partition("Index Cond: ")[2].partition("\n")[0]
    assert "job_id = v.job_id" in condition, found
    # With next to no rows any index of jobs' is as good.
    assert not known_rows or ("execution_fires_once" in found, "v.since" in condition) == (True, True), found


def test_of_each_job_only_rows_from_its_own_next_fire_on_are_read() -> None:
    behind, quick = a_job(), a_job()
    due(quick, seconds_ago=60)
    claims.claim(limit=5)
    at = {job.pk: to_microseconds(due(job, seconds_ago=ago)) for job, ago in ((behind, 3600), (quick, 30))}
    with connection.cursor() as cursor:
        states, _ = claims._look(cursor, 5, None, 7200.0, ())
        now = states[0][6]
        found = claims._recorded(cursor, states, now)
        earlier = claims._recorded(cursor, [(quick.pk, at[behind.pk])], now)
    assert ([state[0] for state in states], len(found), len(earlier)) == ([behind.pk, quick.pk], 0, 1)


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
