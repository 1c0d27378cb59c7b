"""Steps that several tests take in the console."""

import json
import re
from typing import Any

from playwright.sync_api import Locator, Page, ViewportSize, expect

DESK: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
JOBS = "/admin/scheduler/job/"
# The list of every table is among them: tests/scheduler/admin/test_site.py.
PAGES = {
    "log-in": "/admin/login/",
    "dashboard": "/admin/",
    "APIs": "/api/docs",
    "jobs": JOBS,
    "no jobs found": f"{JOBS}?q=nothing-is-called-so",
    "new job": f"{JOBS}add/",
    "edit": f"{JOBS}1/edit/",
    "delete": f"{JOBS}1/delete/",
    "why": f"{JOBS}1/why/?at=2026-11-01T03:00:00&zone=Europe/Berlin",
    "runs": "/admin/scheduler/execution/",
    "incidents": "/admin/scheduler/incident/",
    "alert rules": "/admin/scheduler/alertrule/",
    "new alert rule": "/admin/scheduler/alertrule/add/",
    "channels": "/admin/scheduler/channel/",
    "new channel": "/admin/scheduler/channel/add/",
    "pings": "/admin/scheduler/ping/",
    "deliveries": "/admin/scheduler/delivery/",
    "calendars": "/admin/scheduler/calendar/",
    "new calendar": "/admin/scheduler/calendar/add/",
    "processes": "/admin/scheduler/process/",
    "limits": "/admin/scheduler/limit/",
    "changes": "/admin/scheduler/jobchange/",
    "entries": "/admin/django_celery_beat/periodictask/",
    "entry": "/admin/django_celery_beat/periodictask/1/change/",
    "crontabs": "/admin/django_celery_beat/crontabschedule/",
    "intervals": "/admin/django_celery_beat/intervalschedule/",
    "instants": "/admin/django_celery_beat/clockedschedule/",
    "suns": "/admin/django_celery_beat/solarschedule/",
    "inferences": "/admin/zementis/inferencepage/",
    "models": "/admin/zementis/scoringmodel/",
    "new model": "/admin/zementis/scoringmodel/add/",
    "devices": "/admin/zementis/managedobject/",
    "services": "/admin/voltmx/service/",
    "service": "/admin/voltmx/service/1/change/",
    "sessions": "/admin/voltmx/accountsession/",
    "second factors": "/admin/accounts/secondfactor/",
    "identities": "/admin/accounts/identity/",
    "tokens": "/admin/accounts/apitoken/",
    "new token": "/admin/accounts/apitoken/add/",
    "audit": "/admin/accounts/auditentry/",
    "users": "/admin/auth/user/",
    "user": "/admin/auth/user/1/change/",
    "new password": "/admin/password_change/",
    "groups": "/admin/auth/group/",
}
YEARLY = "0 0 3 1 1 ?"


def service_arguments(operation: str = "getWeather", *, service: str = "openweather", **fields: Any) -> dict[str, Any]:
    """Arguments of a job that calls a service, as the console's form takes them."""
    info = {
        "version": "1.0",
        "serviceType": "intSer",
        "serviceName": service,
        "objectName": "",
        "operationName": operation,
        "requestheaderMap": {},
        "serviceExecutionType": "SERVER_URL",
        "postData": json.dumps({"cityName": "Utrecht", **fields}),
        "operationSecurityLevel": "public",
    }
    return {"jobServiceInfo": info}


def create(page: Page, *, kind: str, name: str, arguments: dict[str, Any], expression: str = YEARLY) -> None:
    """Create a job through the form; ends on the job's page."""
    page.goto(f"{JOBS}add/")
    page.get_by_label("Kind").select_option(label=kind)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Expression").fill(expression)
    page.get_by_label("Arguments").fill(json.dumps(arguments))
    page.get_by_label("History strategy").select_option("FULL")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".c-head h1")).to_have_text(name)


def open_job(page: Page, name: str) -> None:
    """Go to a job's page through the list."""
    page.goto(f"{JOBS}?q={name}")
    page.locator("#result_list").get_by_role("link", name=re.compile(re.escape(name))).first.click()
    expect(page.locator(".c-head h1")).to_have_text(name)


def run_now(page: Page) -> None:
    """From a job's page: run it, and go to the run's page."""
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("Asked for a run")).to_be_visible()
    newest_run(page).click()
    expect(page.locator(".c-head h1")).to_contain_text("Run ")


def newest_run(page: Page) -> Locator:
    """The link to the newest run on a job's page."""
    return card(page, "Newest runs").locator("tbody tr").first.get_by_role("link")


def card(page: Page, title: str) -> Locator:
    """The card with a title."""
    return page.locator(".c-card", has=page.locator("h2", has_text=title))


def tile(page: Page, title: str) -> Locator:
    """What the number tile with a title says."""
    return page.locator(".c-tile", has=page.locator("span", has_text=re.compile(f"^{re.escape(title)}$"))).first
