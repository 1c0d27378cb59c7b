"""A thousand run-nows of one job from several processes at once, beside a clock that fires it and a retry."""

import http.client
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from jobsite.celery import app
from scheduler import clock, jobs
from scheduler.models import Execution, Job, Reason, Status, Trigger
from scheduler.schedule import Schedule
from tests.chaos import checker
from tests.live.asking import THREADS
from tests.live.watching import SECOND, a_gate, open_gate
from tests.processes import Processes
from tests.scheduler.factories import a_definition, counted, counters
from tests.scheduler.threads import in_thread
from tests.voltmx.wire import PASSWORD, sample
from tests.waiting import PATIENCE, wait_for
from voltmx.demo.foundry import Foundry, Reply, Request, ok
from voltmx.demo.server import FoundryServer

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

POLICIES = ("skip", "allow", "queue", "replace")
TIMES = 1000
# How many of the requests for each job come which way; the rest is asked for by a process of its own.
BY_REST, BY_ADMIN, BY_ENTRY = 100, 100, 50
WORK_SECONDS = 0.1
# Of a machine that does much else beside.
LONG = 6 * PATIENCE
OVERLAP = (Status.SKIPPED, Reason.OVERLAP)
SUCCEEDED = (Status.SUCCEEDED, None)
# How many runs of a job may run, and be open, at the same time.
MOST = {"skip": (1, 1), "queue": (1, 2), "replace": (1, 2)}


class Flaky(Foundry):
    """Answers every call but the first of each operation, and counts them. Slow where runs must not meet."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Reply:
        operation = request.path.rsplit("/", 1)[-1]
        with self._lock:
            self.calls[operation] += 1
            first = self.calls[operation] == 1
        if operation != "allow":
            threading.Event().wait(WORK_SECONDS)
        return Reply(503) if first else ok()


class Asker:
    """Whoever asks a web server for runs of the jobs, in one of the ways it offers."""

    def __init__(self, address: str) -> None:
        self._address = address
        login = {"userid": "boss", "password": PASSWORD}
        answer = requests.post(f"{address}/authService/accounts/login", data=login, timeout=LONG)
        self._headers = {"X-VoltMX-Authorization": answer.json()["claims_token"]["value"]}

    def by_rest(self, made: list[Job], times: int) -> None:
        """Ask over the jobs API."""
        link = http.client.HTTPConnection(self._address.removeprefix("http://"), timeout=LONG)
        for _ in range(times):
            for job in made:
                link.request("POST", f"/admin/api/jobs/job/run/{job.number}", headers=self._headers)
                answer = link.getresponse()
                assert (answer.status, b"SUCCESS" in answer.read()) == (200, True)
        link.close()

    def move(self, job: Job, expression: str) -> None:
        """Give a job another schedule over the jobs API."""
        body = {"jobId": job.number, "jobFrequency": expression}
        answer = requests.put(f"{self._address}/admin/api/jobs/job", json=body, headers=self._headers, timeout=LONG)
        assert (answer.status_code, answer.json()["status"]) == (200, "SUCCESS"), answer.text

    def by_admin(self, made: list[Job], times: int) -> None:
        """Choose the jobs in the console's list and the action "Run now"."""
        session, admin = requests.Session(), f"{self._address}/admin"
        shown = session.get(f"{admin}/login/", timeout=LONG).text
        login = {"csrfmiddlewaretoken": _token(shown), "username": "boss", "password": PASSWORD}
        session.post(f"{admin}/login/", data=login, allow_redirects=False, timeout=LONG)
        shown = session.get(f"{admin}/scheduler/job/add/", timeout=LONG).text
        form = {
            "csrfmiddlewaretoken": _token(shown),
            "action": "run_now",
            "_selected_action": [str(job.pk) for job in made],
        }
        for _ in range(times):
            answer = session.post(f"{admin}/scheduler/job/", data=form, allow_redirects=False, timeout=LONG)
            assert answer.status_code == 302, answer.text


def _token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found is not None, page
    return found[1]


def by_entry(made: list[Job], times: int) -> None:
    """Have workers ask, as the stock admin's "run selected tasks" does."""
    for _ in range(times):
        for job in made:
            app.send_task("scheduler.run_job", args=[job.pk], queue="services")


def fired(job: Job) -> int:
    """How many instants of the job's schedule were claimed."""
    return Execution.objects.of(job).exclude(trigger=Trigger.MANUAL).count()


def kept_due(asker: Asker, made: list[Job], over: Callable[[], bool]) -> None:
    """Move the schedules to a second that comes soon, again and again, until it is over and each has fired twice."""
    while not over() or min(map(fired, made)) < 2:
        at = (clock.exact_now() + timedelta(seconds=2.5)).replace(microsecond=0)
        for job in made:
            asker.move(job, f"{at.second} {at.minute} * * * ?")
        wait_for(lambda at=at: clock.exact_now() > at + SECOND / 10, what="the instant passes")  # type: ignore[misc]


_MOST = """
SELECT j.overlap, count(*) FILTER (WHERE e.status = 1), count(*)
  FROM scheduler_execution e JOIN scheduler_job j ON j.id = e.job_id WHERE e.status < 2 AND j.overlap <> 'allow'
 GROUP BY j.overlap
"""


def most_at_once(over: Callable[[], bool]) -> dict[str, tuple[int, int]]:
    """The most runs of each job that were seen running, and seen open, until it is over."""
    most: dict[str, tuple[int, int]] = {}

    def look() -> bool:
        with connection.cursor() as cursor:
            cursor.execute(_MOST)
            for policy, *seen in cursor.fetchall():
                most[policy] = tuple(map(max, seen, most.get(policy, (0, 0))))
        return over()

    wait_for(look, deadline=LONG, every=0.03, what="the end of all requests and runs")
    return most


_AT_ONCE = """
WITH work AS (
    SELECT e.job_id, e.started_at, e.ended_at FROM scheduler_execution e
     WHERE e.started_at IS NOT NULL
       AND e.attempt > (SELECT count(*) FROM scheduler_attempt a WHERE a.execution_id = e.id)
     UNION ALL
    SELECT e.job_id, a.started_at, a.ended_at
      FROM scheduler_attempt a JOIN scheduler_execution e ON e.id = a.execution_id
), placed AS (
    SELECT job_id, started_at, max(ended_at) OVER (PARTITION BY job_id ORDER BY started_at, ended_at
                                                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
      FROM work
)
SELECT j.overlap, count(*) FROM placed p JOIN scheduler_job j ON j.id = p.job_id
 WHERE p.started_at < p.before AND j.overlap <> 'allow' GROUP BY j.overlap
"""


def beside_another() -> dict[str, int]:
    """By policy, how many attempts began before an earlier one had ended, where that is not allowed."""
    with connection.cursor() as cursor:
        cursor.execute(_AT_ONCE)
        return dict(cursor.fetchall())


def refreshed(made: list[Execution]) -> list[Execution]:
    return [Execution.objects.get(pk=execution.pk) for execution in made]


def became(job: Job, *triggers: Trigger) -> set[tuple[Status, str | None]]:
    rows = Execution.objects.of(job).filter(trigger__in=triggers)
    return {(Status(status), reason) for status, reason in rows.values_list("status", "reason")}


@pytest.fixture
def flaky() -> Iterator[Flaky]:
    with FoundryServer(Flaky()) as server:
        server.foundry.url = server.url  # type: ignore[attr-defined]
        yield server.foundry  # type: ignore[misc]


@pytest.mark.timeout(900)
def test_a_thousand_run_nows_at_once_beside_the_clock_and_a_retry_keep_to_each_overlap_policy(
    processes: Processes, flaky: Any
) -> None:
    User.objects.create_superuser("boss", "boss@example.com", PASSWORD)
    never = Schedule(expression="0 0 0 1 1 ?", zone=settings.VOLTMX_TIME_ZONE)
    made = [
        jobs.create(
            "voltmx",
            a_definition(
                schedule=never,
                arguments={"jobServiceInfo": sample(info={"operationName": policy})["jobServiceInfo"]},
                overlap=policy,
                history_strategy="MINIMAL",
                max_retries=1,
                retry_delay_seconds=3,
            ),
            by="tester",
        )
        for policy in POLICIES
    ]
    skip, allow, queue, replace = made
    by = dict(zip(POLICIES[:3], made, strict=False))
    gate = a_gate("storm")
    rest = TIMES - 1 - BY_REST - BY_ADMIN - BY_ENTRY
    apart = rest // THREADS * THREADS
    ids = [str(job.pk) for job in made]
    other = processes.start("-m", "tests.live.asking", gate, str(apart), *ids)
    webs = [processes.web(LOG_LEVEL="WARNING")[1] for _ in range(2)]
    processes.beat()
    processes.worker(concurrency=4, VOLTMX_SERVER_URL=flaky.url)
    askers = [Asker(address) for address in webs]
    # Each has a run that failed and waits for its next attempt as the others are asked for.
    first = [jobs.run_now(job, by="tester") for job in made]
    wait_for(lambda: Execution.objects.filter(attempts__isnull=False).count() == 4, what="a failed attempt of each")
    other.wait_for_line("at the gate")

    asked = threading.Event()
    fires = in_thread(lambda: kept_due(askers[0], made, asked.is_set))

    def ask() -> None:
        open_gate(gate)
        threads = 2
        calls: list[Callable[[], None]] = [lambda: by_entry(made, BY_ENTRY)]
        for asker in askers:
            calls += [lambda asker=asker: asker.by_admin(made, BY_ADMIN // 2)]  # type: ignore[misc]
            calls += [lambda asker=asker: asker.by_rest(made, BY_REST // 2 // threads)] * threads  # type: ignore[misc]
        with ThreadPoolExecutor(len(calls)) as pool:
            list(pool.map(lambda call: call(), calls))
        assert other.wait(deadline=LONG) == 0, other.output
        askers[1].by_rest(made, rest - apart)
        asked.set()
        fires.result(deadline=LONG)
        for job in made:
            jobs.deactivate(job, by="tester")

    storm = in_thread(ask)

    def over() -> bool:
        return not storm.is_alive() and not Execution.objects.open().exists()

    most = most_at_once(over)
    storm.result(deadline=LONG)
    assert checker.check(until=clock.exact_now(), settled=True).violations == []
    asked_for = [Execution.objects.of(job).filter(trigger=Trigger.MANUAL).count() for job in made]
    assert asked_for == [TIMES] * 4
    assert min(map(fired, made)) >= 2
    assert [counters(job) for job in made] == [counted(job) for job in made]
    assert beside_another() == {}
    assert [
        (policy, seen) for policy, seen in most.items() if seen[0] > MOST[policy][0] or seen[1] > MOST[policy][1]
    ] == []
    # What was asked for ran, or says why not, and so did the clock's.
    every = (Trigger.MANUAL, Trigger.SCHEDULE)
    assert [became(job, *every) - {OVERLAP} for job in (skip, queue)] == [{SUCCEEDED}] * 2
    assert became(allow, *every) == {SUCCEEDED}
    assert became(replace, Trigger.MANUAL) == {SUCCEEDED, (Status.CANCELLED, None)}
    cancelled = Execution.objects.of(replace).filter(status=Status.CANCELLED)
    assert all("replaced by a newer run" in messages for messages in cancelled.values_list("messages", flat=True))
    assert Execution.objects.of(replace).filter(number__isnull=False).latest("number").status == Status.SUCCEEDED
    for job in (skip, queue, replace):
        ran = Execution.objects.of(job).filter(status=Status.SUCCEEDED).order_by("number")
        begun = list(ran.values_list("started_at", flat=True))
        assert begun == sorted(filter(None, begun))
    # The retries ran too, unless the run was replaced meanwhile; each attempt called its service once.
    *tried, replaced = [(Status(execution.status), execution.attempt) for execution in refreshed(first)]
    assert tried == [(Status.SUCCEEDED, 2)] * 3
    assert replaced in {(Status.CANCELLED, 1), (Status.CANCELLED, 2), (Status.SUCCEEDED, 2)}
    called = {policy: sum(Execution.objects.of(job).values_list("attempt", flat=True)) for policy, job in by.items()}
    assert {policy: flaky.calls[policy] for policy in called} == called
