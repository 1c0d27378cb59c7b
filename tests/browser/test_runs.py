"""Runs, watched and steered in a real browser."""

import json
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import Watch
from tests.browser.pages import card, create, open_job, run_now, service_arguments, tile
from tests.browser.stack import Stack

# One process has the stack and the browser.
pytestmark = [pytest.mark.live, pytest.mark.xdist_group("browser")]


@pytest.fixture
def held(stack: Stack) -> Iterator[threading.Event]:
    """What the slow service waits for; let go at the end, whatever happened."""
    stack.foundry.held.clear()
    yield stack.foundry.held
    stack.foundry.held.set()


def slow_run(page: Page, name: str) -> None:
    """A job of a service that is held, and the page of its run."""
    arguments = service_arguments("slow", service="faults")
    create(page, kind="Volt MX Foundry service", name=name, arguments=arguments)
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("running")


def test_a_run_is_watched_from_its_start_to_its_end_without_a_reload(page: Page, held: threading.Event) -> None:
    slow_run(page, "watched")
    expect(tile(page, "Running for")).to_be_visible()
    first = tile(page, "Running for").inner_text()
    expect(tile(page, "Running for")).not_to_have_text(first, use_inner_text=True)
    page.get_by_text("Run again with other arguments").click()
    typed = page.get_by_label("Arguments for that run alone.")
    typed.fill("half typed")
    held.set()
    expect(tile(page, "Status")).to_contain_text("succeeded")
    expect(typed).to_have_value("half typed")
    expect(card(page, "Response")).to_contain_text('"late": true')
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_a_running_run_is_on_the_dashboard(page: Page, held: threading.Event) -> None:
    slow_run(page, "on the dashboard")
    page.goto("/admin/")
    expect(card(page, "Running now")).to_contain_text("on the dashboard")
    held.set()
    expect(card(page, "Running now")).not_to_contain_text("on the dashboard")


def test_a_running_run_is_cancelled(page: Page, held: threading.Event) -> None:
    slow_run(page, "cancelled")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The run was told to stop")).to_be_visible()
    expect(tile(page, "Status")).to_contain_text("cancelled")
    expect(card(page, "Timeline").locator("li", has_text="Ended")).to_have_class("c-done")


def test_a_run_is_run_again_with_other_arguments(page: Page) -> None:
    create(page, kind="Volt MX Foundry service", name="again", arguments=service_arguments("echo", service="demo"))
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("succeeded")
    page.get_by_text("Run again with other arguments").click()
    edited = service_arguments("echo", service="demo", cityName="Nairobi")
    page.get_by_label("Arguments for that run alone").fill(json.dumps(edited))
    page.get_by_role("button", name="Run with these").click()
    expect(page.locator(".c-head h1")).to_have_text("Run 2")
    expect(tile(page, "Status")).to_contain_text("succeeded")
    expect(card(page, "Response")).to_contain_text("Nairobi")
    expect(card(page, "Arguments")).to_contain_text("Of this run alone.")


def test_arguments_that_are_no_json_are_refused_and_can_be_typed_on(page: Page, watch: Watch) -> None:
    watch.allow(422)
    open_job(page, "weather-demo")
    run_now(page)
    page.get_by_text("Run again with other arguments").click()
    page.get_by_label("Arguments for that run alone").fill('{"jobServiceInfo": ')
    page.get_by_role("button", name="Run with these").click()
    expect(page.get_by_text("Not run: This is no JSON")).to_be_visible()
    expect(page.get_by_label("Arguments for that run alone")).to_have_value('{"jobServiceInfo": ')


def test_a_scoring_run_leads_to_the_plot_of_its_inferences(page: Page) -> None:
    open_job(page, "Knocks in the hall")
    run_now(page)
    expect(tile(page, "Status")).to_contain_text("succeeded", timeout=60_000)
    page.locator(".c-head").get_by_role("link", name="Inferences").click()
    for output in ("rawAnomalyScore", "normalizedAnomalyScore", "decisionFunction"):
        chart = page.get_by_role("img", name=output)
        expect(chart).to_be_visible()
        assert len(chart.locator("path").get_attribute("d") or "") > 1000
    assert page.get_by_label("Device").locator("option").count() == 2
