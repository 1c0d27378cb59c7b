"""Texts from anywhere are only text on every page: nothing of them runs, and nothing of them becomes an element."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import Watch
from tests.browser.hostile import HOSTILE, TELL, WORST, became_markup
from tests.browser.pages import DESK, card
from tests.browser.stack import Stack

# One process has the stack and the browser.
pytestmark = [pytest.mark.live, pytest.mark.xdist_group("browser")]

# As the form's script does.
TAKE_OVER = """async (address) => {
  const answer = await fetch(address);
  const place = document.querySelector("[data-preview]");
  place.innerHTML = await answer.text();
  return [answer.status, place.innerHTML];
}"""


@pytest.fixture
def watch(browser: Browser, stack: Stack, planted: dict[str, Any]) -> Iterator[Watch]:
    """A page of a superuser whose own name is hostile."""
    context = browser.new_context(base_url=stack.url, viewport=DESK)
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
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


def test_a_preview_is_only_text_where_a_form_takes_it_over(page: Page, planted: dict[str, Any]) -> None:
    page.goto("/admin/scheduler/job/add/")
    became: dict[str, list[str]] = {}
    told: Counter[str] = Counter()
    for name, address in planted["pages"]["previews"].items():
        status, shown = page.evaluate(TAKE_OVER, address)
        assert (name, status) == (name, 200)
        became |= {name: found} if (found := became_markup(page)) else {}
        told[name.rstrip("0123456789 ")] += "pwned" in shown
    # Each says what is wrong with what was typed, or why the job does not run.
    assert (became, {*+told}) == ({}, {"closed day", "expression", "zone", "instant"})


def test_what_a_job_form_says_while_one_types_is_only_text(page: Page, planted: dict[str, Any]) -> None:
    page.goto("/admin/scheduler/job/add/")
    page.locator("#id_calendars").select_option(label=WORST)
    page.locator("#id_expression").fill("0 0 3 * * ?")
    page.locator("#id_zone").fill(WORST)
    expect(page.locator("[data-preview]")).to_contain_text("data-pwned")
    assert became_markup(page) == []


def test_what_a_calendar_form_says_while_one_types_is_only_text(page: Page, planted: dict[str, Any]) -> None:
    page.goto(planted["pages"]["rows"]["calendar"])
    for typed, shown in ((f"01-01 {WORST}", "data-pwned"), (WORST, "line 1")):
        page.locator("#id_dates").fill(typed)
        expect(page.locator("[data-closed-days]")).to_contain_text(re.compile(shown, re.IGNORECASE))
        assert became_markup(page) == []


@pytest.mark.parametrize(
    ("form", "field"),
    [("scheduler/alertrule", "job"), ("scheduler/alertrule", "channels"), ("accounts/apitoken", "owner")],
)
def test_what_a_field_offers_while_one_types_is_only_text(
    page: Page, planted: dict[str, Any], form: str, field: str
) -> None:
    page.goto(f"/admin/{form}/add/")
    page.locator(f".field-{field} .select2-selection").click()
    page.locator(".select2-search__field:visible").last.press_sequentially("data-pwned")
    offered = page.locator(".select2-results__option", has_text="<img data-pwned")
    expect(offered.first).to_be_visible()
    assert became_markup(page) == []
    offered.first.click()
    expect(page.locator(f".field-{field} .select2-selection")).to_contain_text("<img data-pwned")
    assert became_markup(page) == []


@pytest.mark.parametrize(
    "typed", ["\n".join(HOSTILE), json.dumps({text: text for text in HOSTILE})], ids=["no JSON", "no arguments"]
)
def test_arguments_that_are_refused_are_shown_as_text(
    page: Page, watch: Watch, planted: dict[str, Any], typed: str
) -> None:
    watch.allow(422)
    rows = planted["pages"]["rows"]
    page.goto(next(rows[name] for name in rows if name.startswith("run ")))
    page.get_by_text("Run again with other arguments").click()
    page.get_by_label("Arguments for that run alone").fill(typed)
    page.get_by_role("button", name="Run with these").click()
    expect(page.get_by_text("Not run:")).to_be_visible()
    assert "data-pwned" in page.get_by_label("Arguments for that run alone").input_value()
    assert became_markup(page) == []


def test_what_a_tried_model_answers_is_only_text(page: Page, planted: dict[str, Any]) -> None:
    page.goto(planted["pages"]["rows"]["model to try"])
    page.get_by_label("One JSON object").fill(json.dumps({text: text for text in HOSTILE}))
    page.get_by_role("button", name="Score").click()
    answers = card(page, "Try a record").locator("dl")
    expect(answers.locator("dt")).to_have_count(len(HOSTILE))
    assert answers.inner_text().count("data-pwned") > len(HOSTILE)
    assert became_markup(page) == []
