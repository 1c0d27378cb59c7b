"""A stack and a browser for all tests of this folder; a logged-in page for each, watched to its end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from tests.browser import stack as stacks
from tests.browser.chromium import Watch, chromium
from tests.browser.pages import DESK
from tests.browser.stack import PASSWORD, USER, Stack
from tests.processes import ROOT


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


@pytest.fixture(scope="package")
def planted(stack: Stack) -> dict[str, Any]:
    """What was planted, by a process of its own: Django knows one database here, and the stack has another."""
    address = (stack.data / "stack.env").read_text().split("DATABASE_URL=")[1].splitlines()[0]
    environment = {**os.environ, "DATA_DIR": str(stack.data), "DATABASE_URL": address}
    command = [sys.executable, "-m", "tests.browser.plant"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


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
