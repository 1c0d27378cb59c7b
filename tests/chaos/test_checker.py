"""The checker sees what it is there to see: each rule against a database in which exactly that is wrong."""

import pytest
from django.db import connection

from scheduler import claims, executions, jobs
from scheduler.job_types import Outcome
from scheduler.models import Execution, Job, Status
from scheduler.schedule import Schedule
from tests.chaos import checker
from tests.scheduler.factories import a_job

pytestmark = pytest.mark.django_db

EFFECTS = """
CREATE TABLE chaos_effect (id bigserial, job_id bigint, execution_id bigint, attempt int, token bigint, pid int,
                           began_at timestamptz, done_at timestamptz)
"""


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def a_job_that_fired(*, overlap: str = "allow", finish: bool = True) -> Job:
    """A job of every minute, made ten minutes ago, with all its instants claimed and its runs ended."""
    job = a_job(expression="0 * * * * ?", misfire="fire_all", overlap=overlap, history_strategy="FULL")
    execute("UPDATE scheduler_jobchange SET at = at - interval '10 minutes'")
    execute(
        "UPDATE scheduler_jobstate SET next_fire_at = date_trunc('minute', now() - interval '10 minutes')"
        " + interval '1 minute'"
    )
    claims.claim(limit=10)
    if finish:
        for execution_id in list(Execution.objects.of(job).open().order_by("pk").values_list("pk", flat=True)):
            [run] = executions.start([execution_id], worker="worker")
            executions.finish(run, Outcome(Status.SUCCEEDED))
    return job


def broken_rules(*, settled: bool = True) -> set[str]:
    return {violation.rule for violation in checker.check(settled=settled).violations}


def test_a_database_in_order_has_no_violation() -> None:
    a_job_that_fired()
    findings = checker.check(settled=True)
    assert findings.violations == []
    assert findings.counts["instants"] in (9, 10)


def test_edits_pauses_and_resumes_are_followed() -> None:
    job = a_job_that_fired()
    execute(
        """INSERT INTO scheduler_jobchange (job_id, kind, number, at, by, verb, changes)
           SELECT job_id, kind, number, now() - interval '8 minutes', 'x', 'deactivated',
                  '{"active": [true, false]}'::jsonb
             FROM scheduler_jobchange
            UNION ALL
           SELECT job_id, kind, number, now() - interval '5 minutes', 'x', 'activated',
                  '{"active": [false, true]}'::jsonb
             FROM scheduler_jobchange"""
    )
    assert broken_rules() == {"nothing fires that is not due"}
    execute(
        "DELETE FROM scheduler_payload;"
        " DELETE FROM scheduler_execution WHERE scheduled_for > now() - interval '8 minutes'"
        " AND scheduled_for <= now() - interval '5 minutes'"
    )
    assert not broken_rules() & {"nothing fires that is not due", "one state per instant"}
    jobs.update(job, {"schedule": Schedule("0 0 0 1 1 ?")}, by="tester")
    assert not broken_rules() & {"nothing fires that is not due", "one state per instant"}


@pytest.mark.parametrize(
    ("rule", "damage"),
    [
        (
            "one state per instant",
            "DELETE FROM scheduler_payload; DELETE FROM scheduler_execution WHERE number = 1",
        ),
        (
            "nothing fires that is not due",
            "UPDATE scheduler_execution SET scheduled_for = scheduled_for + interval '1 second'",
        ),
        (
            "counters agree with the rows",
            "UPDATE scheduler_jobstate SET total_count = total_count + 1, failure_count = failure_count + 1",
        ),
        ("open runs agree with the rows", "UPDATE scheduler_jobstate SET open_runs = 1"),
        ("numbers run without gaps", "UPDATE scheduler_jobstate SET last_number = last_number + 1"),
        (
            "attempts are recorded one by one",
            "UPDATE scheduler_execution SET attempt = 2, rescues = 1 WHERE number = 1",
        ),
        (
            "attempts stay within retries and rescues",
            """INSERT INTO scheduler_attempt (execution_id, number, ended_at, message)
               SELECT id, 1, now(), 'lost' FROM scheduler_execution WHERE number = 1;
               UPDATE scheduler_execution SET attempt = 2 WHERE number = 1""",
        ),
        (
            "runs of a job do not overlap unless it allows",
            """UPDATE scheduler_job SET overlap = 'skip';
               UPDATE scheduler_execution SET ended_at = ended_at + interval '1 minute'""",
        ),
        (
            "entries agree with their jobs",
            "UPDATE scheduler_job SET active = false; UPDATE scheduler_jobstate SET next_fire_at = NULL",
        ),
        (
            "an active job has its next fire at its entry's",
            "UPDATE django_celery_beat_clockedschedule SET clocked_time = clocked_time + interval '1 second'",
        ),
        (
            "an active job has a next fire, a paused one has none",
            "UPDATE scheduler_job SET active = false",
        ),
    ],
)
def test_each_rule_is_seen_broken(rule: str, damage: str) -> None:
    a_job_that_fired()
    execute(damage)
    assert rule in broken_rules()


def test_more_runs_at_once_than_their_limit_are_seen() -> None:
    a_job_that_fired()
    execute(
        "INSERT INTO scheduler_limit (key, runs) VALUES ('k', 2); UPDATE scheduler_execution SET concurrency_key='k'"
    )
    assert broken_rules() == set()
    execute(
        "UPDATE scheduler_execution SET started_at = now() - interval '1 minute', ended_at = now()"
        " WHERE number IN (1, 2)"
    )
    execute(
        "UPDATE scheduler_execution SET started_at = now() - interval '2 minutes',"
        " ended_at = now() - interval '1 minute' WHERE number > 2"
    )
    assert "runs under a limit stay within it" in broken_rules()
    execute("UPDATE scheduler_execution SET concurrency_key = '' WHERE number > 3")
    assert broken_rules() == set()
    execute("UPDATE scheduler_execution SET ended_at = ended_at + interval '1 second' WHERE number = 3")
    assert broken_rules() == {"runs under a limit stay within it"}


def test_what_a_deleted_job_left_is_seen() -> None:
    jobs.delete(a_job_that_fired(), by="tester")
    assert (broken_rules(settled=False), broken_rules()) == (set(), {"a deleted job leaves nothing"})
    execute("DELETE FROM scheduler_removal")
    assert broken_rules(settled=False) == {"what a deleted job left is to be removed"}


def test_an_effect_that_outlived_its_job_is_nobody_s_and_one_without_a_run_is_seen() -> None:
    a_job_that_fired()
    execute(EFFECTS)
    execute("INSERT INTO chaos_effect (job_id, execution_id, attempt) VALUES (-1, -1, 1)")
    assert broken_rules() == set()
    execute("UPDATE chaos_effect SET job_id = (SELECT id FROM scheduler_job)")
    assert broken_rules() == {"an effect belongs to an attempt that was made"}


def test_what_stays_open_is_seen() -> None:
    a_job_that_fired(finish=False)
    assert broken_rules() == {"nothing stays open"}


@pytest.mark.parametrize(
    ("rule", "damage"),
    [
        (
            "what is queued is published again",
            "UPDATE scheduler_execution SET publish_at = now() - interval '2 minutes'",
        ),
        ("a held run waits for another", "UPDATE scheduler_execution SET ready_at = NULL, publish_at = NULL"),
        (
            "nobody holds a run whose lease ran out long ago",
            "UPDATE scheduler_execution SET status = 1, token = 1, attempt = 1, started_at = now(),"
            " lease_until = now() - interval '2 minutes'",
        ),
    ],
)
def test_what_nobody_looks_after_is_seen_at_work(rule: str, damage: str) -> None:
    a_job_that_fired(finish=False)
    assert broken_rules(settled=False) == set()
    execute(damage)
    assert rule in broken_rules(settled=False)


@pytest.mark.parametrize(
    ("rule", "effects"),
    [
        ("an attempt has one effect at most", [(1, True), (1, False)]),
        ("an effect belongs to an attempt that was made", [(1, True), (2, False)]),
        ("a run that succeeded did its work once in its last attempt", [(1, False)]),
        (
            "work is finished twice only where a lost worker's attempt was repeated",
            [(1, True), (1, True)],
        ),
    ],
)
def test_doubled_effects_are_seen(rule: str, effects: list[tuple[int, bool]]) -> None:
    a_job_that_fired()
    execute(EFFECTS)
    execute("UPDATE scheduler_job SET kind = 'chaos'")
    # All but the first run have the one effect they should have.
    execute(
        "INSERT INTO chaos_effect (execution_id, attempt, done_at) SELECT id, 1, now() FROM scheduler_execution"
        " WHERE number > 1"
    )
    execute("SAVEPOINT before")
    execute(
        "INSERT INTO chaos_effect (execution_id, attempt, done_at) SELECT id, 1, now() FROM scheduler_execution"
        " WHERE number = 1"
    )
    assert broken_rules() == set()
    execute("ROLLBACK TO SAVEPOINT before")
    for attempt, done in effects:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO chaos_effect (execution_id, attempt, done_at)"
                " SELECT id, %s, CASE WHEN %s THEN now() END FROM scheduler_execution WHERE number = 1",
                [attempt, done],
            )
    assert rule in broken_rules()


def test_an_effect_of_a_run_that_never_started_is_seen() -> None:
    a_job_that_fired(finish=False)
    execute(EFFECTS)
    execute("INSERT INTO chaos_effect (execution_id, attempt) SELECT id, 1 FROM scheduler_execution WHERE number = 1")
    assert "what never ran has no effect" in broken_rules()
