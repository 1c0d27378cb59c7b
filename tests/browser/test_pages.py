"""Every main page: accessible in light and dark, at home on a phone, and unmoved by hostile names."""

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.chromium import Watch
from tests.browser.pages import JOBS, PHONE, create, open_job, run_now, service_arguments, tile
from tests.browser.stack import Stack

# One process has the stack and the browser.
pytestmark = [pytest.mark.live, pytest.mark.xdist_group("browser")]

HOSTILE = """x<script>alert(1)</script>"'><img src=x onerror=alert(2)>{{ 7*7 }}"""
LONG = "a-name-without-a-place-to-break-" * 7
# Found where it is filled in by `places`.
PLACES = ("job of a service", "scoring job", "run", "failed run", "scoring run", "hostile job", "plot")
PAGES = {
    "log-in": "/admin/login/",
    "dashboard": "/admin/",
    "jobs": JOBS,
    "no jobs found": f"{JOBS}?q=nothing-is-called-so",
    "new job": f"{JOBS}add/",
    "edit": f"{JOBS}1/edit/",
    "delete": f"{JOBS}1/delete/",
    "why": f"{JOBS}1/why/?at=2026-11-01T03:00:00&zone=Europe/Berlin",
    "runs": "/admin/scheduler/execution/",
    "processes": "/admin/scheduler/process/",
    "limits": "/admin/scheduler/limit/",
    "changes": "/admin/scheduler/jobchange/",
    "entries": "/admin/django_celery_beat/periodictask/",
    "entry": "/admin/django_celery_beat/periodictask/1/change/",
    "inferences": "/admin/zementis/inferencepage/",
    "models": "/admin/zementis/scoringmodel/",
    "devices": "/admin/zementis/managedobject/",
    "services": "/admin/voltmx/service/",
    "service": "/admin/voltmx/service/1/change/",
    "users": "/admin/auth/user/",
    "user": "/admin/auth/user/1/change/",
}


@pytest.fixture(scope="module")
def places(browser: Browser, stack: Stack, login: StorageState) -> Iterator[dict[str, str]]:
    """Addresses of all pages, after jobs of both kinds have run, one of them in vain, and got awkward names."""
    context = browser.new_context(base_url=stack.url, storage_state=login)
    page = context.new_page()
    found = dict(PAGES)

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
    for name in (HOSTILE, LONG):
        create(page, kind="Volt MX Foundry service", name=name, arguments=service_arguments("failing", service="demo"))
        note("hostile job")
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


def violations(page: Page) -> list[str]:
    """What axe finds that is serious or critical, by rule and place."""
    answer = Axe().run(page).response
    return [
        f"{violation['id']}: {node['target']} {node['html'][:200]}"
        for violation in answer["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("name", [*PAGES, *PLACES])
def test_a_page_is_accessible_in_light_and_in_dark(page: Page, places: dict[str, str], name: str) -> None:
    if name == "log-in":
        page.context.clear_cookies()
    page.goto(places[name])
    light = violations(page)
    # The theme looks at what the viewer prefers when a page loads.
    page.emulate_media(color_scheme="dark")
    page.reload()
    expect(page.locator("html")).to_have_class(re.compile("dark"))
    assert (light, violations(page)) == ([], [])


@pytest.mark.parametrize("name", [*PAGES, *PLACES])
def test_a_page_fits_a_phone(page: Page, places: dict[str, str], name: str) -> None:
    if name == "log-in":
        page.context.clear_cookies()
    page.set_viewport_size(PHONE)
    page.goto(places[name])
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize("name", ["dashboard", "jobs", "scoring job", "scoring run", "plot"])
def test_what_scrolls_on_a_phone_can_be_reached_by_keyboard(page: Page, places: dict[str, str], name: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(places[name])
    assert violations(page) == []


def test_a_hostile_name_is_only_text_wherever_it_is_shown(watch: Watch, page: Page, places: dict[str, str]) -> None:
    for address in (places["hostile job"], JOBS, "/admin/", "/admin/scheduler/execution/", places["entries"]):
        page.goto(address)
        expect(page.locator("#content")).to_be_visible()
        assert page.locator("img[src=x]").count() == 0
    page.goto("/admin/scheduler/execution/")
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    assert watch.complaints == []


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
