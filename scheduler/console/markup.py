"""Markup of the smallest parts: instants, outcomes, JSON, changes. Everything that is not ours is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from scheduler.console import words
from scheduler.models import Status


def instant(value: datetime | None) -> SafeString:
    """An instant in UTC; the page's script adds the viewer's own time as a tooltip."""
    if value is None:
        return SafeString(words.NOTHING)  # a constant of ours  # nosec B703
    value = value.astimezone(UTC)
    return format_html(
        '<time class="c-time" datetime="{}">{}</time>', value.isoformat(), value.strftime("%Y-%m-%d %H:%M:%S")
    )


def ago(value: datetime | None) -> SafeString:
    """An instant as its distance from now, kept up to date by the page's script."""
    if value is None:
        return SafeString(words.NOTHING)  # a constant of ours  # nosec B703
    value = value.astimezone(UTC)
    now = datetime.now(UTC)
    text = f"in {words.duration(value - now)}" if value > now else f"{words.duration(now - value)} ago"
    return format_html(
        '<time class="c-time" data-ago datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        words.instant(value),
        text,
    )


def due(value: datetime | None) -> SafeString:
    """A coming instant as its distance from now; one that has passed without its run is overdue."""
    if value is None:
        return SafeString(words.NOTHING)  # a constant of ours  # nosec B703
    value = value.astimezone(UTC)
    now = datetime.now(UTC)
    text = f"in {words.duration(value - now)}" if value > now else f"due for {words.duration(now - value)}"
    return format_html(
        '<time class="c-time" data-due datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        words.instant(value),
        text,
    )


def pill(status: int | None) -> SafeString:
    """A status as a coloured label."""
    if status is None:
        return SafeString(words.NOTHING)  # a constant of ours  # nosec B703
    known = Status(status)
    return format_html('<span class="c-pill c-{}">{}</span>', words.TONES[known], known.label)


def mark(text: str, tone: str) -> SafeString:
    """A coloured label of any text."""
    return format_html('<span class="c-pill c-{}">{}</span>', tone, text)


def change_table(changes: Mapping[str, Any]) -> SafeString:
    """What an edit changed: field, before, after."""
    rows = [
        (name, words.pretty(pair[0]), words.pretty(pair[1]))
        for name, pair in changes.items()
        if isinstance(pair, list) and len(pair) == 2
    ]
    if not rows:
        return SafeString(words.NOTHING)  # a constant of ours  # nosec B703
    body = format_html_join("", "<tr><th>{}</th><td><pre>{}</pre></td><td><pre>{}</pre></td></tr>", rows)
    return format_html(
        '<div class="c-scroll"><table class="c-table"><thead><tr><th>Field</th>'
        "<th>Before</th><th>After</th></tr></thead>"
        "<tbody>{}</tbody></table></div>",
        body,
    )


def code(value: Any) -> SafeString:
    """A JSON value laid out, as text."""
    return format_html('<pre class="c-pre">{}</pre>', words.pretty(value))
