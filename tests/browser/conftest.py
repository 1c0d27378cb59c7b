"""A stack and a browser for all tests of this folder; a logged-in page for each, watched to its end."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser import stack as stacks
from tests.browser.chromium import Watch, chromium
from tests.browser.pages import DESK
from tests.browser.stack import PASSWORD, USER, Stack


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """The demo's stack."""
    with stacks.stack() as running:
        yield running


@pytest.fixture(scope="package")
def browser(stack: Stack) -> Iterator[Browser]:
    """The browser. Its loop must have ended before tests that use Django's database run on this thread."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def login(browser: Browser, stack: Stack) -> Iterator[StorageState]:
    """The cookies of a login in the browser."""
    context = browser.new_context(base_url=stack.url)
    page = context.new_page()
    page.goto("/admin/")
    page.get_by_label("Username").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_title("Dashboard | Jobsite")
    yield context.storage_state()
    context.close()


@pytest.fixture
def context(browser: Browser, stack: Stack, login: StorageState) -> Iterator[BrowserContext]:
    """A logged-in window of a desk's size, in New York."""
    context = browser.new_context(
        base_url=stack.url,
        viewport=DESK,
        storage_state=login,
        timezone_id="America/New_York",
    )
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext, stack: Stack) -> Iterator[Watch]:
    """A page on which nothing may go wrong: no error of a script, no foreign host, no failed request."""
    expect.set_options(timeout=60_000)
    watch = Watch(context.new_page(), host=stack.host)
    yield watch
    assert watch.complaints == []


@pytest.fixture
def page(watch: Watch) -> Page:
    """The watched page."""
    return watch.page
