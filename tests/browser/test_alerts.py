"""Alerts and calendars, made in a real browser."""

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.axe import violations
from tests.browser.pages import card, create, open_job, run_now, service_arguments, tile
from tests.browser.stack import Stack
from tests.scheduler.alerts.conftest import Receiver, receiver
from tests.waiting import wait_for

__all__ = ["receiver"]

# One process has the stack and the browser.
pytestmark = [pytest.mark.live, pytest.mark.xdist_group("browser")]

# Every Sunday there is something on, from ten to eleven.
EVENTS: FilePayload = {
    "name": "plant.ics",
    "mimeType": "text/calendar",
    "buffer": b"\r\n".join(
        [
            *(b"BEGIN:VCALENDAR", b"VERSION:2.0", b"PRODID:-//test//EN", b"BEGIN:VEVENT", b"UID:1"),
            *(b"DTSTART:20240107T100000Z", b"DTEND:20240107T110000Z", b"RRULE:FREQ=WEEKLY;BYDAY=SU"),
            *(b"SUMMARY:Stocktaking", b"END:VEVENT", b"END:VCALENDAR", b""),
        ]
    ),
}


def test_a_rule_tells_of_a_failed_run_and_its_incident_is_snoozed(page: Page, receiver: Receiver) -> None:
    page.goto("/admin/scheduler/channel/add/")
    page.get_by_label("Name").fill("browser hook")
    page.get_by_label("Address").fill(receiver.webhook)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("browser hook")
    create(page, kind="Volt MX Foundry service", name="alerted", arguments=service_arguments("failing", service="demo"))
    card(page, "Alerts").get_by_role("link", name="add a rule").click()
    page.locator(".field-channels .select2-selection").click()
    page.locator(".select2-search__field:visible").last.fill("browser hook")
    page.locator(".select2-results__option", has_text="browser hook").click()
    assert violations(page) == []
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("alerted")
    open_job(page, "alerted")
    expect(card(page, "Alerts")).to_contain_text("a run fails")
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("failed")
    wait_for(lambda: receiver.titles, what="the alert")
    assert receiver.titles == ["Job alerted: run 1 failed"]
    open_job(page, "alerted")
    expect(card(page, "Alerts").locator("tbody tr")).to_contain_text("open")
    page.goto("/admin/scheduler/incident/?q=alerted")
    page.locator("#result_list tbody input[type=checkbox]").check()
    page.get_by_label("Select action to run").select_option(label="Snooze for an hour")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("1 snoozed until")).to_be_visible()


def test_a_calendar_of_holidays_and_a_file_closes_days_of_a_job_that_the_builder_edits(
    page: Page, stack: Stack
) -> None:
    stack.add_service_job("on-open-days", service="demo", operation="echo")
    page.goto("/admin/scheduler/calendar/add/")
    days = page.locator("[data-closed-days]")
    page.get_by_label("Name").fill("Plant days")
    page.get_by_label("Country").select_option("DE")
    expect(days).to_contain_text("12-25")
    expect(days).not_to_contain_text("01-06")
    page.get_by_label("Subdivision").fill("BY")
    expect(days).to_contain_text("01-06")
    page.get_by_label("iCal file").set_input_files(EVENTS)
    expect(days).to_contain_text("Stocktaking")
    assert violations(page) == []
    page.get_by_role("button", name="Save", exact=True).click()
    row = page.locator("#result_list tbody tr", has_text="Plant days")
    expect(row).to_contain_text("holidays of")
    expect(row).to_contain_text("events of plant.ics")

    open_job(page, "on-open-days")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("How often").select_option("weekly")
    for day in ("Mon", "Tue", "Wed", "Thu", "Fri"):
        page.get_by_label(day, exact=True).uncheck()
    page.get_by_label("Sun", exact=True).check()
    preview = page.locator(".c-preview").get_by_role("listitem")
    expect(preview).to_have_count(8)
    expect(preview.filter(has_text="Stocktaking")).to_have_count(0)
    page.get_by_label("Calendars").select_option(label="Plant days")
    expect(preview.filter(has_text="Stocktaking")).to_have_count(8)
    assert violations(page) == []
    page.get_by_role("button", name="Save", exact=True).click()
    fires = card(page, "Schedule").locator("tbody tr")
    expect(fires.filter(has_text="Stocktaking")).to_have_count(10)
