"""Every page: accessible in light and dark, at home on a phone, and with nothing that its policy forbids."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.axe import violations
from tests.browser.pages import PAGES, PHONE, create, open_job, run_now, service_arguments, tile
from tests.browser.stack import Stack

# One process has the stack and the browser.
pytestmark = [pytest.mark.live, pytest.mark.xdist_group("browser")]

LONG = "a-name-without-a-place-to-break-" * 7
# The pages that are not all the theme's own.
DARK = (
    "log-in", "dashboard", "jobs", "new job", "edit", "delete", "why", "runs", "processes", "entries", "new calendar",
)  # fmt: skip
# Found where it is filled in by `places`; those of the second line were planted, with texts that are hostile.
PLACES = ("job of a service", "scoring job", "run", "failed run", "scoring run", "long name", "plot")
PLANTED = ("alertrule", "incident", "channel", "delivery", "ping", "calendar", "apitoken", "auditentry", "scoringmodel",
           "managedobject", "process", "limit", "jobchange", "group", "history", "test call", "job")  # fmt: skip


@pytest.fixture(scope="module")
def places(browser: Browser, stack: Stack, login: StorageState, planted: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Addresses of all pages, after jobs of both kinds have run, one of them in vain, and one has a long name."""
    context = browser.new_context(base_url=stack.url, storage_state=login)
    page = context.new_page()
    rows = planted["pages"]["rows"]
    found = {**PAGES, **{name: rows[name] for name in PLANTED if name in rows}}
    found["history"] = planted["pages"]["ends"]["job history"]

    def note(name: str) -> None:
        found[name] = page.url.removeprefix(stack.url)

    open_job(page, "weather-demo")
    note("job of a service")
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("succeeded")
    note("run")
    create(page, kind="Volt MX Foundry service", name="fails", arguments=service_arguments("failing", service="demo"))
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("failed")
    note("failed run")
    create(page, kind="Volt MX Foundry service", name=LONG, arguments=service_arguments("failing", service="demo"))
    note("long name")
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("failed")
    open_job(page, "Knocks in the hall")
    note("scoring job")
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("succeeded", timeout=60_000)
    note("scoring run")
    run = re.search(r"/(\d+)/change", page.url)
    assert run is not None
    found["plot"] = f"/admin/zementis/inferencepage/execution/{run[1]}/"
    yield found
    context.close()


@pytest.mark.parametrize("name", [*PAGES, *PLACES, *PLANTED])
def test_a_page_is_accessible_and_fits_a_phone(page: Page, places: dict[str, str], name: str) -> None:
    if name == "log-in":
        page.context.clear_cookies()
    page.goto(places[name])
    light = violations(page)
    page.set_viewport_size(PHONE)
    assert (light, page.evaluate("document.documentElement.scrollWidth")) == ([], PHONE["width"])


@pytest.mark.parametrize("name", [*DARK, *PLACES])
def test_a_page_is_accessible_in_the_dark(page: Page, places: dict[str, str], name: str) -> None:
    if name == "log-in":
        page.context.clear_cookies()
    # The theme looks at what the viewer prefers when a page loads.
    page.emulate_media(color_scheme="dark")
    page.goto(places[name])
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    assert violations(page) == []


@pytest.mark.parametrize("name", ["dashboard", "jobs", "scoring job", "scoring run", "plot"])
def test_what_scrolls_on_a_phone_can_be_reached_by_keyboard(page: Page, places: dict[str, str], name: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(places[name])
    assert violations(page) == []


def test_a_refresh_of_the_dashboard_keeps_the_focus(page: Page, places: dict[str, str]) -> None:
    page.goto("/admin/")
    page.evaluate(
        "window.refreshed = new Promise((done) => new MutationObserver(done)"
        ".observe(document.querySelector('[data-refresh]'), {childList: true}))"
    )
    link = page.locator("[data-refresh]").get_by_role("link", name="Knocks in the hall").first
    link.focus()
    page.evaluate("window.refreshed")
    expect(link).to_be_focused()


def test_the_themes_own_controls_work_without_eval(page: Page) -> None:
    page.goto("/admin/scheduler/job/")
    filters = page.locator("#changelist-filter")
    page.locator("[x-on\\:click='filterOpen = true']").click()
    expect(filters).to_be_visible()
    page.keyboard.press("Escape")
    expect(filters).to_be_hidden()
    page.locator("[x-on\\:click^=openUserLinks]").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()
    search = page.locator("#nav-filter")
    search.press_sequentially("calendar")
    expect(page.locator("[x-show=openSearchResults]").get_by_role("link", name="Calendars")).to_be_visible()
    search.press("Escape")
    expect(search).to_have_value("")
    page.set_viewport_size(PHONE)
    expect(page.get_by_role("link", name="APIs")).to_be_hidden()
    page.locator("[x-on\\:click^=sidebarMobileOpen]:visible").click()
    page.get_by_role("link", name="APIs").click()
    operation = page.locator(".opblock-tag").first
    operation.click()
    expect(page.locator(".opblock").first).to_be_visible()


def test_an_example_of_arguments_is_taken_over(page: Page) -> None:
    page.goto("/admin/scheduler/job/add/")
    example = page.locator("[data-example]:visible")
    for kind in ("Volt MX Foundry service", "Zementis scoring"):
        page.get_by_label("Kind").select_option(label=kind)
        expect(example).to_have_count(1)
        expect(example).to_contain_text(f"Example: {kind}")
    example.locator("summary").click()
    example.get_by_role("button", name="Use it").click()
    expect(page.get_by_label("Arguments")).to_have_value(re.compile("data_from_previous_seconds"))
