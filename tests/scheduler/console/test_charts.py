"""Charts: well-formed, escaped, and to scale."""

from datetime import date, timedelta
from xml.etree import ElementTree

import pytest

from scheduler.console import charts
from scheduler.console.charts import Bar, Day, Dot, Tick

HOSTILE = '<script>"&'


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def test_bars_stack_to_the_height_of_their_sum() -> None:
    bar = Bar("10", "ten", {"succeeded": 6, "failed": 4})
    rects = parsed(charts.bars([bar], name="runs", height=118)).findall(".//g/rect")
    heights = {rect.get("class"): float(rect.get("height") or 0) for rect in rects}
    # A scale to 10 on the 92 units between the axis and the upper margin.
    assert heights == {"c-hit": 100, "c-f-succeeded": pytest.approx(55.2), "c-f-failed": pytest.approx(36.8)}


def test_a_chart_of_nothing_is_drawn_too() -> None:
    assert parsed(charts.bars([], name="runs")).get("aria-label") == "runs"
    assert parsed(charts.bars([Bar("", "", {"succeeded": 0})], name="runs")).findall(".//g/rect")
    assert parsed(charts.dots([], name="runs")).findall(".//circle") == []
    assert parsed(charts.strip([], slots=60)).get("width") == "180"


def test_dots_lead_to_their_runs() -> None:
    drawn = parsed(charts.dots([Dot(1.0, "failed", "run 7", "/run/7/"), Dot(2.0, "warned", "", "/run/8/")], name="x"))
    links = [(link.get("href"), link[0].get("class"), link[0][0].text) for link in drawn.findall("a")]
    assert links == [("/run/7/", "c-f-failed", "run 7"), ("/run/8/", "c-f-warned", None)]
    first, second = (float(circle.get("cy") or 0) for circle in drawn.findall(".//circle"))
    assert first > second


def test_a_strip_ends_at_the_right_with_the_newest() -> None:
    drawn = parsed(charts.strip([Tick(0, "failed", "1"), Tick(9, "succeeded", "2")], slots=4, height=24, step=3))
    rects = [(rect.get("class"), rect.get("x"), rect.get("height")) for rect in drawn]
    assert rects == [("c-f-failed", "6", "4"), ("c-f-succeeded", "9", "24")]


def test_hostile_texts_are_escaped() -> None:
    for svg in (
        charts.bars([Bar(HOSTILE, HOSTILE, {"failed": 1})], name=HOSTILE),
        charts.dots([Dot(1, "failed", HOSTILE, HOSTILE)], name=HOSTILE),
        charts.strip([Tick(1, "failed", HOSTILE)], slots=1),
    ):
        assert "<script>" not in svg
        assert parsed(svg).tag == "svg"


def test_a_calendar_has_a_year_of_days_that_ends_today() -> None:
    today = date(2026, 11, 22)
    drawn = parsed(charts.calendar({today: Day(10, 1)}, until=today, name="year"))
    titles = [title.text for title in drawn.findall(".//title")]
    assert len(titles) == 53 * 7
    assert titles[0] == "Mon 2025-11-17: no runs"
    assert titles[-1] == "Sun 2026-11-22: 10 runs, 1 failed"


def test_a_calendar_ends_in_the_middle_of_a_week() -> None:
    today = date(2026, 11, 22) - timedelta(days=4)
    assert len(parsed(charts.calendar({}, until=today, name="year")).findall(".//title")) == 53 * 7 - 4


@pytest.mark.parametrize(
    ("day", "shade"),
    [
        (Day(0, 0), "none"),
        (Day(9, 0), "good"),
        (Day(20, 1), "mixed"),
        (Day(10, 1), "poor"),
        (Day(2, 1), "bad"),
    ],
)
def test_days_are_shaded_by_the_share_that_failed(day: Day, shade: str) -> None:
    assert charts.shade(day) == shade


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (501, 1000)])
def test_scales_end_at_round_numbers(value: int, top: int) -> None:
    assert charts.nice(value) == top
