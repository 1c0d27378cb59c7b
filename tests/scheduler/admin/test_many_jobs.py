"""The console with ten thousand jobs: as many queries as with one, and no run is read that is not shown.

What the queries read decides, not the time they take, which depends on what else the machine does.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler import clock
from scheduler.console.runs import STRIP
from scheduler.models import Job, JobState
from tests.scheduler.admin.pages import url
from tests.scheduler.factories import a_job, started

JOBS = 10_000
# The first three pages of the list, and some of every other order.
WITH_RUNS = 150
LIST = "scheduler_job_changelist"
PAGES = ("", "?q=job+9", "?state=active", "?state=soon", "?p=3", "?o=1", "?o=-1", "?o=4", "?o=5", "?o=-7")


def _copy(template: Job, *, copies: int) -> None:
    """Jobs like ``template``, with their states, by two statements."""
    table, columns = "scheduler_job", ("number", "name", "name_key")
    with connection.cursor() as cursor:
        for name, key in ((table, "id"), ("scheduler_jobstate", "job_id")):
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND is_generated = 'NEVER'",
                [name],
            )
            others = [row[0] for row in cursor.fetchall() if row[0] not in {key, "entry_id", *columns}]
            shared = ", ".join(f'"{column}"' for column in others)
            if name == table:
                cursor.execute(
                    f"INSERT INTO {table} (number, name, name_key, {shared})"  # noqa: S608 - names of columns
                    f" SELECT 100000 + n, 'job ' || n, NULL, {shared} FROM {table}, generate_series(1, %s) n"
                    " WHERE id = %s",
                    [copies, template.pk],
                )
            else:
                cursor.execute(
                    f"INSERT INTO {name} (job_id, {shared})"  # noqa: S608 - names of columns
                    f" SELECT job.id, {', '.join(f'state.{column}' for column in others)}"
                    f" FROM {name} state, {table} job WHERE state.job_id = %s AND job.number > 100000",
                    [template.pk],
                )
        cursor.execute("ANALYZE scheduler_job; ANALYZE scheduler_jobstate")


def _page(client: Client, query: str = "") -> tuple[Any, list[dict[str, str]]]:
    """The list that a page shows, and the queries that it took."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(f"{url(LIST)}{query}")
    assert answer.status_code == 200
    return answer.context["cl"], captured.captured_queries


def _runs_of(template: Job, *, jobs: int, runs: int) -> None:
    """Ended runs, each a minute long, of the ``jobs`` copies with the lowest numbers."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO scheduler_execution (job_id, number, trigger, scheduled_for, status, queue, priority,"
            " concurrency_key, created_at, started_at, ended_at, attempt, rescues, cancel_requested, messages, visible,"
            " complete)"
            " SELECT job.id, n, 1, at, 2 + n %% 3, 'q', 5, '', at, at, at + interval '1 minute', 1, 0, false, '[]',"
            " true, false"
            " FROM scheduler_job job, generate_series(1, %s) n, LATERAL (SELECT now() - n * interval '1 hour') t(at)"
            " WHERE job.number BETWEEN 100001 AND 100000 + %s ORDER BY job.id, n",
            [runs, jobs],
        )
        cursor.execute("ANALYZE scheduler_execution")


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _read(queries: Sequence[dict[str, str]]) -> Counter[str]:
    """How many executions queries read, by the index they come through."""
    found: Counter[str] = Counter()
    for query in queries:
        if '"scheduler_execution"' not in query["sql"] and " scheduler_execution" not in query["sql"]:
            continue
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {query['sql']}")
            for node in _nodes(cursor.fetchone()[0][0]["Plan"]):
                if node.get("Relation Name") == "scheduler_execution":
                    rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
                    found[node.get("Index Name", "no index")] += round(rows * node["Actual Loops"])
    return found


def test_ten_thousand_jobs_take_as_many_queries_as_a_few_and_read_the_runs_they_show(boss: Client) -> None:
    template = a_job(name="template")
    started(template)
    JobState.objects.filter(job=template).update(next_fire_at=clock.now() + timedelta(hours=12))
    boss.get(url(LIST))
    few = len(_page(boss)[1])
    _copy(template, copies=JOBS)
    _runs_of(template, jobs=WITH_RUNS, runs=STRIP + 10)
    assert Job.objects.count() == JOBS + 1
    found = {}
    for query in PAGES:
        found[query], captured = _page(boss, query)
        read = _read(captured)
        assert (query, len(captured), {*read}) == (query, few, {"execution_job_number"})
        assert read.total() <= 50 * STRIP
    by_name = found["?o=1"]
    assert [job.name for job in by_name.result_list][:3] == ["job 1", "job 10", "job 100"]
    assert "job_name" in by_name.queryset[:50].explain()
    assert [len(job.ticks) for job in found["?p=3"].result_list] == [STRIP] * 50
