"""Template tags of the console."""

from __future__ import annotations

from datetime import timedelta

from django import template

from scheduler.console import markup, words
from scheduler.models import Execution

register = template.Library()

for _tag in (markup.instant, markup.ago, markup.due, markup.pill, markup.mark, markup.code, markup.change_table):
    register.simple_tag(_tag)


@register.filter
def duration(value: timedelta | float | None) -> str:
    """A duration in words."""
    return words.duration(value)


@register.filter
def number(value: int) -> str:
    """A count with its thousands apart."""
    return f"{value:,}"


@register.filter
def lateness(execution: Execution) -> str:
    """How long after its due instant a run started, in words."""
    return words.duration(words.lateness(execution))


@register.filter
def headline(execution: Execution) -> str:
    """Why nothing ran, or the first message of a run."""
    return words.headline(execution)
