"""Texts from anywhere are only text on every page: nothing of them runs, and nothing of them becomes an element."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import Watch
from tests.browser.hostile import TELL, WORST, became_markup
from tests.browser.pages import DESK
from tests.browser.stack import Stack

pytestmark = pytest.mark.live


@pytest.fixture
def watch(browser: Browser, stack: Stack, planted: dict[str, Any]) -> Iterator[Watch]:
    """A page of a superuser whose own name is hostile."""
    context = browser.new_context(base_url=stack.url, viewport=DESK)
    context.set_default_timeout(15_000)
    context.add_cookies([{"name": "sessionid", "value": planted["session"], "url": stack.url}])
    context.add_init_script(TELL)
    watch = Watch(context.new_page(), host=stack.host)
    yield watch
    assert watch.complaints == []
    context.close()


@pytest.mark.parametrize("kind", ["lists", "rows", "ends"])
def test_hostile_texts_are_only_text(page: Page, planted: dict[str, Any], kind: str) -> None:
    became: dict[str, list[str]] = {}
    silent = []
    for address in planted["pages"][kind].values():
        answer = page.goto(address)
        found = became_markup(page)
        if found:
            became[address] = found
        if answer is None or answer.status != 200 or "pwned" not in page.content():
            silent.append(address)
    assert (became, silent) == ({}, [])


def test_a_hostile_name_is_found_as_it_was_typed(page: Page, planted: dict[str, Any]) -> None:
    page.goto("/admin/scheduler/job/")
    page.locator("#searchbar").fill(WORST)
    page.locator("#result_list tr.data-row").get_by_role("link", name=WORST).first.wait_for()
    assert became_markup(page) == []
