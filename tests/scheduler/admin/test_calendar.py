"""Calendars in the console."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from scheduler import clock, jobs
from scheduler.models import Calendar, Job
from tests.scheduler.admin.conftest import Login
from tests.scheduler.admin.pages import act, errors, said, text, url
from tests.scheduler.calendars.factories import a_calendar, event, ics
from tests.scheduler.factories import MINUTELY, a_job

ALWAYS = "01-01..12-31 Closed"


def typed(**changes: Any) -> dict[str, Any]:
    values = {"name": "Plant", "description": "", "country": "DE", "subdivision": "BY", "weekdays": ["5", "6"]}
    return {**values, "dates": "12-24..12-31 Rest", **changes}


def a_file(content: str | bytes, name: str = "plant.ics") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode() if isinstance(content, str) else content)


def test_a_calendar_is_made_shown_and_changed(boss: Client) -> None:
    upload = a_file(ics(event(";VALUE=DATE:20300504", name="Audit")))
    boss.post(url("scheduler_calendar_add"), typed(upload=upload))
    calendar = Calendar.objects.get()
    stored = (calendar.name, calendar.country, calendar.subdivision, calendar.weekdays, calendar.ical_name)
    assert (stored, calendar.updated_by, calendar.events["days"]) == (
        ("Plant", "DE", "BY", [5, 6], "plant.ics"),
        "boss",
        {"2030-05-04": "Audit"},
    )
    page = text(boss.get(url("scheduler_calendar_change", calendar.pk)))
    assert ("Saturday" in page, "Now: plant.ics" in page) == (True, True)
    changed = typed(name="Works", weekdays=[], without_file="on", version="1")
    boss.post(url("scheduler_calendar_change", calendar.pk), changed)
    calendar.refresh_from_db()
    assert (calendar.name, calendar.weekdays, calendar.ical, calendar.events, calendar.version) == (
        "Works",
        [],
        "",
        {},
        2,
    )


def test_a_file_stays_where_the_form_brings_no_other(boss: Client) -> None:
    calendar = a_calendar(ical=ics(event(";VALUE=DATE:20300504")), ical_name="old.ics")
    boss.post(url("scheduler_calendar_change", calendar.pk), typed(version="1"))
    calendar.refresh_from_db()
    assert (calendar.name, calendar.ical_name, list(calendar.events["days"])) == ("Plant", "old.ics", ["2030-05-04"])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "taken"}, "name"),
        ({"country": "XX"}, "country"),
        ({"subdivision": "XX"}, "subdivision"),
        ({"country": ""}, "subdivision"),
        ({"weekdays": ["7"]}, "weekdays"),
        ({"weekdays": [str(day) for day in range(7)]}, "weekdays"),
        ({"dates": "soon"}, "dates"),
        ({"dates": "05-01 \x00"}, "dates"),
        ({"upload": a_file("hello")}, "upload"),
        ({"upload": a_file(b"\xff\xfe")}, "upload"),
        ({"upload": a_file("x" * (1 << 20) + "x")}, "upload"),
    ],
)
def test_what_cannot_be_a_calendar_is_refused(boss: Client, changes: dict[str, Any], field: str) -> None:
    a_calendar(name="taken")
    answer = boss.post(url("scheduler_calendar_add"), typed(**changes))
    assert (list(errors(answer)), Calendar.objects.count()) == ([field], 1)


def test_a_form_opened_before_somebody_elses_edit_is_refused(boss: Client) -> None:
    calendar = a_calendar()
    Calendar.objects.filter(pk=calendar.pk).update(version=2, updated_by="other")
    answer = boss.post(url("scheduler_calendar_change", calendar.pk), typed(version="1"))
    assert errors(answer) == {"version": ["The calendar was changed by other meanwhile. Load the page anew."]}


def test_the_look_ahead_shows_what_is_typed_and_writes_nothing(boss: Client) -> None:
    tomorrow = (clock.now() + timedelta(days=1)).date()
    asked = typed(name="", country="", subdivision="", weekdays=[], dates=f"{tomorrow} Inventory", calendar="")
    page = text(boss.post(url("scheduler_calendar_preview"), asked))
    assert (f"{tomorrow:%a %Y-%m-%d} Inventory" in page, Calendar.objects.count()) == (True, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dates": "soon"}, "Line 1: write a day as"),
        ({"subdivision": "XX"}, "is no subdivision of DE"),
        ({"zone": "Mars/Olympus"}, "is not a time zone"),
        ({"upload": a_file("hello")}, "is no iCal file"),
        ({"calendar": "9" * 18}, "Rest"),
    ],
)
def test_the_look_ahead_says_what_is_wrong(boss: Client, changes: dict[str, Any], said: str) -> None:
    assert said in text(boss.post(url("scheduler_calendar_preview"), typed(**changes)))


def test_a_calendar_in_use_is_not_deleted(boss: Client) -> None:
    used, unused = a_calendar(name="used"), a_calendar()
    job = a_job(name="Nightly", calendars=[used.pk])
    page = text(boss.get(url("scheduler_calendar_change", used.pk)))
    assert "Nightly" in page
    boss.post(url("scheduler_calendar_delete", used.pk), {"post": "yes"})
    act(boss, "delete_selected", used.pk, unused.pk, model="scheduler_calendar", post="yes")
    assert set(Calendar.objects.values_list("name", flat=True)) >= {"used"}
    jobs.update(job, {"calendars": []}, by="tester")
    boss.post(url("scheduler_calendar_delete", used.pk), {"post": "yes"})
    assert "used" not in Calendar.objects.values_list("name", flat=True)


def test_calendars_need_their_permissions(login: Login) -> None:
    calendar = a_calendar(ical=ics(event(";VALUE=DATE:20300504")), ical_name="old.ics")
    client = login("scheduler.view_calendar")
    page = client.get(url("scheduler_calendar_change", calendar.pk))
    statuses = [
        page.status_code,
        client.get(url("scheduler_calendar_changelist")).status_code,
        client.post(url("scheduler_calendar_change", calendar.pk), typed(version="1")).status_code,
        client.get(url("scheduler_calendar_add")).status_code,
        client.post(url("scheduler_calendar_preview"), typed()).status_code,
        client.post(url("scheduler_calendar_delete", calendar.pk), {"post": "yes"}).status_code,
    ]
    assert (statuses, "old.ics" in text(page)) == ([200, 200, 403, 403, 403, 403], True)


def test_the_list_shows_what_calendars_close_without_reading_their_files(
    boss: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        a_calendar(country="DE", subdivision="BY", weekdays=[6], dates=ALWAYS)
    with django_assert_max_num_queries(12):
        page = text(boss.get(url("scheduler_calendar_changelist")))
    assert page.count("holidays of Germany BY; Sunday; typed days") == 3


# -- Jobs --------------------------------------------------------------------------------------------------------------


def form_of(client: Client, job: Job) -> dict[str, Any]:
    form = client.get(url("scheduler_job_edit", job.pk)).context["adminform"].form
    return {
        name: "" if (value := form[name].value()) is None or value is False else value
        for name in form.fields
        if name != "active"
    } | {"active": "on"}


def test_a_job_is_given_calendars_by_its_form_and_loses_them(boss: Client) -> None:
    first, second = a_calendar(), a_calendar()
    job = a_job()
    boss.post(url("scheduler_job_change", job.pk), {**form_of(boss, job), "calendars": [first.pk, second.pk]})
    job.refresh_from_db()
    assert job.calendars == [first.pk, second.pk]
    boss.post(url("scheduler_job_change", job.pk), {**form_of(boss, job), "calendars": []})
    job.refresh_from_db()
    assert job.calendars is None


@pytest.mark.parametrize("key", ["999999999", "x", "9" * 30])
def test_a_calendar_that_does_not_exist_is_refused(boss: Client, key: str) -> None:
    job = a_job()
    answer = boss.post(url("scheduler_job_change", job.pk), {**form_of(boss, job), "calendars": [key]})
    assert list(errors(answer)) == ["calendars"]


def test_coming_fires_on_closed_days_are_marked_everywhere(boss: Client) -> None:
    calendar = a_calendar(name="Plant", dates=ALWAYS)
    job = a_job(expression=MINUTELY, calendars=[calendar.pk])
    pages = {
        "job": boss.get(url("scheduler_job_change", job.pk)),
        "list": boss.get(url("scheduler_job_changelist")),
        "dashboard": boss.get(url("index")),
        "typed": boss.get(
            url("scheduler_job_preview"),
            {"expression": MINUTELY, "zone": "UTC", "calendars": [str(calendar.pk), "x"]},
        ),
    }
    assert {name: "Plant: Closed" in text(page) for name, page in pages.items()} == dict.fromkeys(pages, True)
    assert "Plant" not in text(boss.get(url("scheduler_job_preview"), {"expression": MINUTELY, "zone": "UTC"}))


def test_a_cloned_job_keeps_its_calendars(boss: Client) -> None:
    calendar = a_calendar()
    job = a_job(calendars=[calendar.pk])
    form = boss.get(url("scheduler_job_add"), {"clone": job.pk}).context["adminform"].form
    assert form.initial["calendars"] == [calendar.pk]


def test_refusals_of_a_deletion_are_told(boss: Client) -> None:
    calendar = a_calendar(name="used")
    a_job(calendars=[calendar.pk])
    page = boss.get(url("scheduler_calendar_delete", calendar.pk))
    assert ("used: jobs go by it" in text(page), said(page)) == (True, [])
