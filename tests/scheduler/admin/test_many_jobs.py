"""The console with ten thousand jobs: as many queries as with one, and answers within a second."""

import time
from functools import partial

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from scheduler.models import Job
from tests.scheduler.admin.pages import url
from tests.scheduler.factories import a_job, started
from tests.waiting import wait_for

JOBS = 10_000
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


def _queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def _within_a_second(client: Client, address: str) -> bool:
    began = time.perf_counter()
    assert client.get(address).status_code == 200
    return time.perf_counter() - began < 1


def test_ten_thousand_jobs_take_as_many_queries_as_a_few_and_under_a_second(boss: Client) -> None:
    template = a_job(name="template")
    started(template)
    boss.get(url(LIST))
    few = _queries(boss, url(LIST))
    _copy(template, copies=JOBS)
    assert (Job.objects.count(), _queries(boss, url(LIST))) == (JOBS + 1, few)
    by_name = boss.get(f"{url(LIST)}?o=1").context["cl"]
    assert [job.name for job in by_name.result_list][:3] == ["job 1", "job 10", "job 100"]
    assert "job_name" in by_name.queryset[:50].explain()
    for query in PAGES:
        # Asked again where it is slow: this measures the page, not what else the machine is doing.
        wait_for(partial(_within_a_second, boss, f"{url(LIST)}{query}"), every=0.5, what=f"{query!r} within a second")
