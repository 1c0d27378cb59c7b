"""What real processes count adds up, whichever web server is asked and however often they are restarted."""

import urllib.request
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from scheduler import jobs
from scheduler.models import Execution, Job, Process, Status
from tests.live.watching import SECONDLY
from tests.processes import Processes
from tests.scheduler.factories import a_job
from tests.waiting import wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


def counted(address: str) -> dict[tuple[str, str], float]:
    request = urllib.request.Request(f"{address}/metrics", headers={"Authorization": "Bearer sesame"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
    return {
        (sample.name, sample.labels.get("outcome", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def ended(job: Job, at_least: int) -> bool:
    return Execution.objects.of(job).filter(status=Status.SUCCEEDED).count() >= at_least


def test_counts_outlive_restarts_and_are_the_same_everywhere(processes: Processes) -> None:
    names: Any = {"METRICS_TOKEN": "sesame", "ALLOWED_HOSTS": "127.0.0.1"}
    webs = [processes.web(**names)[1] for _ in range(2)]
    threads, children = a_job(expression=SECONDLY, overlap="allow"), a_job(queue="inference")
    for place in (1, 2):
        running = [
            processes.worker(),
            processes.worker(queues="inference", pool="prefork", concurrency=2),
            processes.beat(),
        ]
        jobs.run_now(children, by="tester")
        wait_for(lambda place=place: ended(threads, 2 * place) and ended(children, place))  # type: ignore[misc]
        assert counted(webs[0])["jobsite_processes", ""] == Process.objects.filter(kind="worker").count()
        for process in reversed(running):
            process.stop()
    one, other = (counted(web) for web in webs)
    rows = Execution.objects.filter(trigger=0)
    expected = {
        ("jobsite_instants_due_total", ""): rows.count(),
        ("jobsite_runs_claimed_total", ""): rows.exclude(status=Status.SKIPPED).count(),
        ("jobsite_runs_ended_total", "succeeded"): Execution.objects.filter(status=Status.SUCCEEDED).count(),
    }
    assert {name: one[name] for name in expected} == expected
    counters = [name for name in one if name[0].endswith("_total")]
    assert [one[name] for name in counters] == [other[name] for name in counters]
