"""Answers of Java's Quartz."""

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scheduler.quartz import InvalidQuartzExpression, QuartzExpression

DATA = Path(__file__).parent.parent / "data" / "quartz"


def lines(name: str) -> list[dict[str, Any]]:
    """The answers of a file."""
    content = (DATA / name).read_bytes()
    return [json.loads(line) for line in (gzip.decompress(content) if name.endswith(".gz") else content).splitlines()]


def fires(text: str, after: str, zone: str, count: int) -> list[str]:
    """The next fires after an instant as ISO 8601, at most `count`."""
    expression = QuartzExpression.parse(text)
    instant: datetime | None = datetime.fromisoformat(after)
    found: list[str] = []
    while len(found) < count and instant and (instant := expression.next_after(instant, ZoneInfo(zone))):
        found.append(instant.isoformat())
    return found


@pytest.mark.parametrize(("name", "count"), [("vectors-public.jsonl.gz", 3000), ("vectors-quirks.jsonl.gz", 277)])
def test_fires_are_those_of_quartz(name: str, count: int) -> None:
    cases = lines(name)
    wrong = [case for case in cases if fires(case["expr"], case["after"], case["tz"], 8) != case["next"]]
    assert wrong == []
    assert len(cases) == count


def accepted(text: str) -> bool:
    """Whether a text can be read."""
    try:
        QuartzExpression.parse(text)
    except InvalidQuartzExpression:
        return False
    return True


def test_what_quartz_refuses_is_refused() -> None:
    wrong = [case["expr"] for case in lines("invalid-public.jsonl") if not case["valid"] and accepted(case["expr"])]
    assert wrong == []


def test_what_quartz_accepts_is_accepted_unless_only_because_it_ignores_part_of_it() -> None:
    plain = [case["expr"] for case in lines("invalid-public.jsonl") if case["valid"] and not case["surprising"]]
    assert [text for text in plain if not accepted(text)] == []


def test_a_surprising_text_is_refused_or_fires_as_quartz_fires_it() -> None:
    cases = [case for case in lines("invalid-public.jsonl") if case["valid"] and accepted(case["expr"])]
    wrong = [
        case["expr"]
        for case in cases
        if fires(case["expr"], case["next_utc_after"], "UTC", max(len(case["next"]), 1)) != case["next"]
    ]
    assert wrong == []
