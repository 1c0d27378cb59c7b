"""Charts as SVG, drawn on the server: no script, the theme's colours by classes, and a tooltip for every part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, log1p

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from scheduler.console import words

_WEEK = 7


@dataclass(frozen=True)
class Bar:
    """One bar: its label on the axis (may be empty), what its tooltip says, and the parts stacked from below."""

    label: str
    title: str
    parts: Mapping[str, int]


@dataclass(frozen=True)
class Dot:
    """One value of a series: its height, its colour, what its tooltip says and where it leads."""

    value: float
    tone: str
    title: str
    href: str


@dataclass(frozen=True)
class Tick:
    """One run in a strip: how long it took and how late it began, in seconds, its colour and its tooltip."""

    seconds: float
    tone: str
    title: str
    late: float | None = None


@dataclass(frozen=True)
class Day:
    """One day of a calendar: how many runs ended and how many of them badly."""

    total: int
    bad: int


def bars(series: Sequence[Bar], *, name: str, width: int = 900, height: int = 170) -> SafeString:
    """Draw stacked bars with a scale; parts keep the order of the first bar's."""
    top = nice(max((sum(bar.parts.values()) for bar in series), default=0))
    low, left = height - 18, 12 + 6 * len(f"{top:,}")
    step = (width - left) / max(len(series), 1)
    drawn: list[SafeString] = [_scale(top, low, left, width)]
    for position, bar in enumerate(series):
        x, base = left + position * step, float(low)
        pieces: list[SafeString] = []
        for tone, count in bar.parts.items():
            tall = count / top * (low - 8)
            if tall:
                base -= tall
                pieces.append(
                    format_html(
                        '<rect class="c-f-{}" x="{}" y="{}" width="{}" height="{}"/>',
                        tone, _n(x + 1), _n(base), _n(max(step - 2, 1)), _n(max(tall, 0.8)),
                    )
                )  # fmt: skip
        # The whole height answers the pointer, so that an empty hour can be asked too.
        hit = format_html('<rect class="c-hit" x="{}" y="0" width="{}" height="{}"/>', _n(x), _n(step), low)
        drawn.append(format_html("<g><title>{}</title>{}{}</g>", bar.title, hit, _join(pieces)))
        if bar.label:
            drawn.append(_text(x + step / 2, height - 4, bar.label, "middle"))
    return _svg(drawn, name=name, width=width, height=height, css="c-chart c-chart-wide")


def dots(series: Sequence[Dot], *, name: str, width: int = 480, height: int = 130) -> SafeString:
    """Draw values from left to right as dots that lead to what they stand for, with a scale in durations."""
    highest = max((dot.value for dot in series), default=0.0)
    top = highest * 1.1 or 1.0
    low, left = height - 8, 52
    step = (width - left) / max(len(series), 1)
    lines = [
        format_html(
            '<line class="c-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>{}',
            left, width, _n(y), _n(y), _text(left - 6, y + 4, words.duration(share * top), "end"),
        )
        for share in (0, 0.5, 1)
        for y in (low - share * (low - 12),)
    ]  # fmt: skip
    points = [
        format_html(
            '<a href="{}" tabindex="-1" aria-label="{}"><circle class="c-f-{}" cx="{}" cy="{}" r="{}">'
            "<title>{}</title></circle></a>",
            dot.href, dot.title, dot.tone, _n(left + (position + 0.5) * step), _n(low - dot.value / top * (low - 12)),
            _n(min(4.0, max(2.0, step / 2.5))), dot.title,
        )
        for position, dot in enumerate(series)
    ]  # fmt: skip
    return _svg([*lines, *points], name=name, width=width, height=height, css="c-chart", role="group")


def strip(ticks: Sequence[Tick], *, slots: int, height: int = 24, step: int = 3) -> SafeString:
    """Draw a job's last runs, newest at the right: colour by outcome, height by duration on a logarithmic scale."""
    longest = log1p(max((tick.seconds for tick in ticks), default=0.0)) or 1.0
    first = slots - len(ticks)
    drawn = []
    for position, tick in enumerate(ticks):
        tall = 4 + round((height - 4) * log1p(tick.seconds) / longest)
        # A list draws thousands of these: all but the title is ours and needs no escaping.
        drawn.append(
            f'<rect class="c-f-{tick.tone}" x="{(first + position) * step}" y="{height - tall}" width="{step - 1}"'
            f' height="{tall}"><title>{escape(tick.title)}</title></rect>'
        )
    runs = SafeString("".join(drawn))  # drawn by us, texts escaped  # nosec B703
    return _svg([runs], name=f"last {len(ticks)} runs", width=slots * step, height=height, css="c-strip")


def calendar(days: Mapping[date, Day], *, until: date, name: str, weeks: int = 53) -> SafeString:
    """Draw a year of days, a column a week (from Monday), each coloured by the share of its runs that ended well."""
    cell, top, left = 13, 16, 30
    first = until - timedelta(days=until.weekday() + _WEEK * (weeks - 1))
    drawn = [
        _text(left - 6, top + row * cell + 10, label, "end") for row, label in ((0, "Mon"), (2, "Wed"), (4, "Fri"))
    ]
    month = 0
    for offset in range((until - first).days + 1):
        day = first + timedelta(days=offset)
        x, y = left + offset // _WEEK * cell, top + offset % _WEEK * cell
        if day.month != month and offset % _WEEK == 0:
            month = day.month
            drawn.append(_text(x, 11, day.strftime("%b"), "start"))
        found = days.get(day, Day(0, 0))
        told = f"{day:%a %Y-%m-%d}: " + (f"{found.total} runs, {found.bad} failed" if found.total else "no runs")
        drawn.append(
            format_html(
                '<rect class="c-day-{}" x="{}" y="{}" width="11" height="11" rx="2"><title>{}</title></rect>',
                shade(found), x, y, told,
            )
        )  # fmt: skip
    return _svg(drawn, name=name, width=left + weeks * cell, height=top + _WEEK * cell, css="c-calendar")


def shade(day: Day) -> str:
    """Return the class of a day: none, good, mixed (under a tenth failed), poor (under half) or bad."""
    if not day.total:
        return "none"
    share = day.bad / day.total
    if not share:
        return "good"
    if share < 0.1:
        return "mixed"
    return "poor" if share < 0.5 else "bad"


def nice(value: int) -> int:
    """Return a round number at or above ``value``: 1, 2 or 5 times a power of ten."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= value:
                return step * power
        power *= 10


def _scale(top: int, low: int, left: int, width: int) -> SafeString:
    marks = sorted({0, ceil(top / 2), top})
    return _join(
        format_html(
            '<line class="c-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>{}',
            left, width, _n(y), _n(y), _text(left - 6, y + 4, f"{mark:,}", "end"),
        )
        for mark in marks
        for y in (low - mark / top * (low - 8),)
    )  # fmt: skip


def _text(x: float, y: float, text: str, anchor: str) -> SafeString:
    return format_html('<text x="{}" y="{}" text-anchor="{}">{}</text>', _n(x), _n(y), anchor, text)


def _svg(parts: Sequence[SafeString], *, name: str, width: int, height: int, css: str, role: str = "img") -> SafeString:
    newest_last = SafeString(' data-newest-last=""') if css != "c-strip" else ""
    return format_html(
        '<svg class="{}"{} viewBox="0 0 {} {}" width="{}" height="{}" role="{}" aria-label="{}">{}</svg>',
        css, newest_last, width, height, width, height, role, name, _join(parts),
    )  # fmt: skip


def _join(parts: object) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))  # type: ignore[attr-defined]


def _n(value: float) -> str:
    """Return a coordinate as short as it can be written."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
