"""Jobs, made and changed in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.pages import JOBS, YEARLY, card, create, newest_run, open_job, run_now, service_arguments, tile
from tests.browser.stack import PASSWORD, USER, Stack

# One process has the stack and the browser.
pytestmark = [pytest.mark.live, pytest.mark.xdist_group("browser")]

SERIES = ("accelerationX", "accelerationY", "accelerationZ")


def test_a_wrong_password_is_refused_and_the_right_one_leads_to_the_page_asked_for(page: Page) -> None:
    page.context.clear_cookies()
    page.goto(JOBS)
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill("guessed")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#result_list")).to_contain_text("weather-demo")


def test_a_job_of_a_service_is_created_and_runs(page: Page) -> None:
    create(page, kind="Volt MX Foundry service", name="made-here", arguments=service_arguments())
    expect(card(page, "Schedule")).to_contain_text(YEARLY)
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("succeeded")
    expect(card(page, "Response")).to_contain_text('"cityName": "Utrecht"')


def test_a_scoring_job_is_created_and_runs(page: Page) -> None:
    arguments = {
        "model": "IsolationForest",
        "target": 1,
        "is_group": False,
        "mappings": [
            *([name, f"c8y_Acceleration.{name}.value"] for name in SERIES),
            *([name, f"c8y_Gyroscope.{name}.value"] for name in ("gyroX", "gyroY", "gyroZ")),
        ],
        "data_from": None,
        "data_to": None,
        "data_from_previous_seconds": 3600,
    }
    create(page, kind="Zementis scoring", name="One device, last hour", arguments=arguments)
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("succeeded", timeout=60_000)


def test_a_refusal_is_shown_at_its_field_with_what_was_typed(page: Page) -> None:
    page.goto(f"{JOBS}add/")
    page.get_by_label("Kind").select_option(label="Volt MX Foundry service")
    page.get_by_label("Name").fill("refused")
    page.get_by_label("Expression").fill("every day")
    page.get_by_label("Arguments").fill("{}")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".field-expression .errorlist, .field-expression [class*='red']").first).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("refused")


def test_the_builder_writes_an_expression_and_shows_its_fires_while_one_types(page: Page) -> None:
    page.goto(f"{JOBS}add/")
    preview = page.locator(".c-preview")
    page.get_by_label("How often").select_option("daily")
    expect(page.get_by_label("Expression")).to_have_value("0 0 3 * * ?")
    expect(preview).to_contain_text("At 03:00, every day")
    expect(preview.get_by_role("listitem")).to_have_count(8)
    page.get_by_label("Expression").press_sequentially("x")
    expect(preview.locator(".c-bad")).to_be_visible()
    # Berlin's clock jumps over 02:30 on the last Sunday of March.
    page.get_by_label("Zone").fill("Europe/Berlin")
    page.get_by_label("Expression").fill("0 30 2 L 3 ? 2040-2060")
    expect(preview.get_by_role("listitem").first).to_contain_text("2040-03-31 02:30:00 +0200")
    page.get_by_label("Expression").fill("0 30 2 ? 3 SUNL 2040-2060")
    expect(preview.get_by_role("listitem").first).to_contain_text("passed over: the clock jumps")
    page.locator("#id_starts_at_0").fill("2050-01-01")
    page.locator("#id_starts_at_1").fill("00:00:00")
    expect(preview.get_by_role("listitem").first).to_contain_text("2050-03-27 02:30:00")


def test_a_job_is_cloned(page: Page) -> None:
    open_job(page, "weather-demo")
    page.get_by_role("link", name="Clone", exact=True).click()
    expect(page.get_by_label("Name")).to_have_value("weather-demo (copy)")
    page.get_by_label("Name").fill("weather-clone")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".c-head h1")).to_have_text("weather-clone")
    expect(page.locator(".c-head")).to_contain_text("paused")
    expect(card(page, "Arguments")).to_contain_text('"operationName": "getWeather"')


def test_an_edit_is_in_the_log_of_changes(page: Page, stack: Stack) -> None:
    stack.add_service_job("edited", service="demo", operation="echo")
    open_job(page, "edited")
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Expression").fill("0 15 4 * * ?")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(card(page, "Schedule")).to_contain_text("At 04:15, every day")
    newest = card(page, "Changes").locator("details").first
    expect(newest).to_contain_text(f"by {USER}")
    newest.locator("summary").click()
    expect(newest).to_contain_text("0 15 4 * * ?")


def test_the_list_is_searched_as_one_types(page: Page, stack: Stack) -> None:
    for name in ("needle-one", "needle-two", "haystack"):
        stack.add_service_job(name, service="demo", operation="echo")
    page.goto(JOBS)
    rows = page.locator("#result_list tr.data-row")
    expect(rows.filter(has_text="haystack")).to_have_count(1)
    page.evaluate("window.sameDocument = true")
    page.locator("#searchbar").press_sequentially("needle")
    expect(rows).to_have_count(2)
    assert page.evaluate("window.sameDocument")
    expect(page).to_have_url(re.compile("q=needle"))
    page.locator("#searchbar").press_sequentially("-two")
    expect(rows).to_have_count(1)


def test_jobs_are_paused_resumed_run_and_deleted_in_bulk(page: Page, stack: Stack) -> None:
    for name in ("bulk-one", "bulk-two"):
        stack.add_service_job(name, service="demo", operation="echo")
    page.goto(JOBS)
    page.locator("#searchbar").press_sequentially("bulk")
    rows = page.locator("#result_list tr.data-row")
    expect(rows).to_have_count(2)

    def do(action: str) -> None:
        page.locator("#action-toggle").check()
        expect(page.locator(".action-counter")).to_contain_text("2 of 2 selected")
        page.get_by_label("Select action to run").select_option(label=action)
        page.get_by_role("button", name="Run", exact=True).click()

    for action, paused in (("Pause", 2), ("Resume", 0)):
        do(action)
        expect(page.get_by_text(f"{action}d: bulk-one")).to_be_visible()
        expect(rows.filter(has_text="paused")).to_have_count(paused)
    do("Run now")
    expect(page.get_by_text("Asked for a run: bulk-one")).to_be_visible()
    open_job(page, "bulk-two")
    newest_run(page).click()
    expect(tile(page, "Status")).to_contain_text("succeeded")
    page.goto(f"{JOBS}?q=bulk")
    do("Delete selected jobs")
    expect(page.get_by_text("bulk-one").first).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name=re.compile("sure")).click()
    expect(page.get_by_text("Successfully deleted 2 jobs")).to_be_visible()
    expect(rows).to_have_count(0)


def test_what_happened_at_an_instant_is_looked_up(page: Page, stack: Stack) -> None:
    stack.add_service_job("asked-about", service="demo", operation="echo", jobFrequency="0 0 3 * * ? *")
    open_job(page, "asked-about")
    look = page.locator("form.c-ask")
    look.get_by_label("at").fill("2026-01-01T03:00:00")
    look.get_by_label("in").fill("Europe/Amsterdam")
    look.get_by_role("button").click()
    expect(page.get_by_role("heading", name=re.compile("What happened to"))).to_contain_text("asked-about")
    expect(page.locator(".c-lead")).to_contain_text("not")
    expect(card(page, "Due by today's schedule").get_by_role("link")).to_have_count(8)


def test_the_coming_fires_are_shown_on_both_clocks(page: Page) -> None:
    open_job(page, "weather-demo")
    fires = card(page, "Schedule").locator("tbody tr")
    expect(fires).to_have_count(10)
    expect(card(page, "Schedule").locator("th").nth(1)).to_have_text("Here (America/New_York)")
    there, here = fires.first.locator("td").nth(0).inner_text(), fires.first.locator("td").nth(1).inner_text()
    hours = [int(re.search(r"(\d\d):\d\d:\d\d", text)[1]) for text in (there, here)]  # type: ignore[index]
    assert (hours[0] - hours[1]) % 24 in (4, 5)
