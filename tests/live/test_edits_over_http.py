"""What the API or the console does to a job is in force at its commit, also for a beat that waits."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import pytest
import requests
from django.contrib.auth.models import User

from scheduler import clock
from scheduler.models import Execution, Job, JobState
from tests.live.watching import SECOND, latest_claim, pass_seconds
from tests.processes import Processes
from tests.scheduler.admin.test_job_form import NEW, shown
from tests.voltmx.wire import PASSWORD, sample
from tests.waiting import NOISE, wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]

REST, CONSOLE, ENTRY = 7, 8, 9
# Seconds within which the requests of one step are usually answered.
AHEAD = 2


class Surface(Protocol):
    """One way to change a job; each method returns when the server has answered that it is done."""

    number: int

    def create(self, expression: str) -> None: ...
    def edit(self, expression: str) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def delete(self) -> None: ...


class Rest:
    """The jobs API."""

    number = REST

    def __init__(self, address: str) -> None:
        self._jobs = f"{address}/admin/api/jobs/job"
        login = {"userid": "boss", "password": PASSWORD}
        answer = requests.post(f"{address}/authService/accounts/login", data=login, timeout=30)
        self._headers = {"X-VoltMX-Authorization": answer.json()["claims_token"]["value"]}

    def create(self, expression: str) -> None:
        self._send(
            "POST", self._jobs, sample(jobId=self.number, jobFrequency=expression, without=("jobFrequencyInfo",))
        )

    def edit(self, expression: str) -> None:
        self._send("PUT", self._jobs, {"jobId": self.number, "jobFrequency": expression})

    def pause(self) -> None:
        self._send("PUT", self._jobs, {"jobId": self.number, "jobStatus": "Inactive"})

    def resume(self) -> None:
        self._send("PUT", self._jobs, {"jobId": self.number, "jobStatus": "Active"})

    def delete(self) -> None:
        self._send("DELETE", f"{self._jobs}{self.number}", None)

    def _send(self, method: str, url: str, body: Any) -> None:
        answer = requests.request(method, url, json=body, headers=self._headers, timeout=30)
        assert (answer.status_code, answer.json()["status"]) == (200, "SUCCESS"), answer.text


class Console:
    """The admin, as a browser uses it."""

    number = CONSOLE

    def __init__(self, address: str) -> None:
        self._admin = f"{address}/admin"
        self._session = requests.Session()
        self._post("/login/", {"username": "boss", "password": PASSWORD}, page="/login/")

    def create(self, expression: str) -> None:
        self._post(
            "/scheduler/job/add/",
            {**NEW, "expression": expression, "number": self.number, "name": f"job {self.number}"},
        )

    def edit(self, expression: str) -> None:
        self._post(self._page("edit"), shown(self._job, expression=expression), page=self._page("edit"))

    def pause(self) -> None:
        self._post(self._page("deactivate"), {})

    def resume(self) -> None:
        self._post(self._page("activate"), {})

    def delete(self) -> None:
        self._post(self._page("delete"), {"post": "yes"}, page=self._page("delete"))

    def why(self, pk: int, at: datetime) -> str:
        """What the console says became of an instant of a job."""
        page = self._session.get(f"{self._admin}/scheduler/job/{pk}/why/", params={"at": at.isoformat()}, timeout=30)
        told = re.search(r" UTC (.*?)</h2>", page.text, re.DOTALL)
        assert told is not None, page.text
        return re.sub(r"<[^>]*>", "", told[1]).strip()

    @property
    def _job(self) -> Job:
        return Job.objects.get(number=self.number)

    def _page(self, name: str) -> str:
        return f"/scheduler/job/{self._job.pk}/{name}/"

    def _post(self, path: str, form: dict[str, Any], *, page: str = "/scheduler/job/add/") -> None:
        shown = self._session.get(self._admin + page, timeout=30)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.text)
        assert token is not None, shown.text
        data = {"csrfmiddlewaretoken": token[1], **form}
        answer = self._session.post(self._admin + path, data=data, allow_redirects=False, timeout=30)
        assert answer.status_code == 302, answer.text


class StockEntry(Console):
    """The admin, where the beat entry of the job is paused and resumed by the stock actions, and no page of ours."""

    number = ENTRY

    def pause(self) -> None:
        self._act("disable_tasks")

    def resume(self) -> None:
        self._act("enable_tasks")

    def _act(self, action: str) -> None:
        [entry] = JobState.objects.filter(job=self._job).values_list("entry_id", flat=True)
        self._post("/django_celery_beat/periodictask/", {"action": action, "_selected_action": str(entry)})


def soon(seconds: int) -> tuple[datetime, str]:
    """A second that comes in so many, and an expression that fires at it and then an hour later."""
    at = clock.exact_now().replace(microsecond=0) + seconds * SECOND
    return at, f"{at.second} {at.minute} * * * ?"


def in_time(
    surfaces: Sequence[Surface],
    do: Callable[[Surface, str], None],
    undo: Callable[[Surface], None] = lambda surface: None,
) -> datetime:
    """Have each surface do something before an instant; return that. Where the machine is too busy, one further off."""
    ahead = AHEAD
    while True:
        at, expression = soon(ahead)
        for surface in surfaces:
            do(surface, expression)
        if clock.exact_now() < at:
            return at
        for surface in surfaces:
            undo(surface)
        ahead *= 2


def fired(at: datetime) -> set[int]:
    """The numbers of the jobs that have a row at that instant."""
    return set(Execution.objects.filter(scheduled_for=at).values_list("job__number", flat=True))


def all_fire(surfaces: Sequence[Surface], at: datetime) -> None:
    wait_for(lambda: fired(at) == {surface.number for surface in surfaces}, what=f"a row of each job at {at}")
    assert latest_claim(Job.objects.all(), since=at) < SECOND + NOISE


def none_fires(at: datetime) -> None:
    pass_seconds((at - clock.exact_now()).total_seconds() + 1.5)
    assert fired(at) == set()


def edit_and_pause(surface: Surface, expression: str) -> None:
    surface.edit(expression)
    surface.pause()


def edit_and_resume(surface: Surface, expression: str) -> None:
    surface.edit(expression)
    surface.resume()


def edit_and_delete(surface: Surface, expression: str) -> None:
    surface.edit(expression)
    surface.delete()


def test_what_is_done_over_http_is_in_force_at_its_commit(processes: Processes) -> None:
    User.objects.create_superuser("boss", "boss@example.com", PASSWORD)
    processes.beat()
    _, address = processes.web()
    console = Console(address)
    surfaces: list[Surface] = [Rest(address), console, StockEntry(address)]
    created = in_time(surfaces, lambda surface, at: surface.create(at), lambda surface: surface.delete())
    all_fire(surfaces, created)
    pks = list(Job.objects.values_list("pk", flat=True))
    all_fire(surfaces, in_time(surfaces, lambda surface, at: surface.edit(at)))
    paused = in_time(surfaces, edit_and_pause, lambda surface: surface.resume())
    none_fires(paused)
    assert {console.why(pk, paused) for pk in pks} == {"paused"}
    resumed = in_time(surfaces, edit_and_resume, lambda surface: surface.pause())
    all_fire(surfaces, resumed)
    assert {console.why(pk, resumed) for pk in pks} <= {"queued", "skipped"}
    deleted = in_time(surfaces, edit_and_delete, lambda surface: surface.create("0 0 0 1 1 ?"))
    none_fires(deleted)
    assert {console.why(pk, deleted) for pk in pks} == {"deleted"}
    assert not Job.objects.exists()
