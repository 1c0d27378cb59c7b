"""What history keeps of a run."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.history import Capped, Kept, capped, kept


@pytest.mark.parametrize(
    ("strategy", "of_success", "of_failure"),
    [
        ("OFF", Kept(visible=False, payload=False), Kept(visible=False, payload=False)),
        ("MINIMAL", Kept(visible=True, payload=False), Kept(visible=True, payload=False)),
        ("ERROR", Kept(visible=True, payload=False), Kept(visible=True, payload=True)),
        ("FULL", Kept(visible=True, payload=True), Kept(visible=True, payload=True)),
    ],
)
def test_a_strategy_keeps_what_its_reference_says(strategy: str, of_success: Kept, of_failure: Kept) -> None:
    assert (kept(strategy, failed=False), kept(strategy, failed=True)) == (of_success, of_failure)


def test_no_payload_is_no_payload() -> None:
    assert capped(None, limit=1024) == Capped(None, truncated=False)


def test_a_payload_within_the_limit_is_the_json_it_is() -> None:
    assert capped({"a": [1, "ü"]}, limit=1024) == Capped('{"a":[1,"ü"]}', truncated=False)


def test_a_payload_of_exactly_the_limit_is_whole() -> None:
    assert capped("x" * 98, limit=100) == Capped(f'"{"x" * 98}"', truncated=False)


def test_a_longer_payload_is_cut_and_marked() -> None:
    assert capped("x" * 200, limit=100) == Capped(json.dumps('"' + "x" * 96), truncated=True)


def test_what_postgresql_cannot_hold_is_replaced() -> None:
    payload = {"nul": "a\x00b", "half": "\ud800", "nan": float("nan"), "inf": [float("-inf")]}
    assert capped(payload, limit=1024) == Capped(
        '{"nul":"a\ufffdb","half":"?","nan":null,"inf":[null]}', truncated=False
    )


class Odd:
    def __str__(self) -> str:
        return "odd\x00\ud800"


def test_a_value_that_is_no_json_is_kept_as_its_text() -> None:
    assert capped({"value": Odd(), "key": {Odd(): {1}}}, limit=1024) == Capped(
        '{"value":"odd\ufffd?","key":{"odd\ufffd?":"{1}"}}', truncated=False
    )


class Broken:
    def __str__(self) -> str:
        raise ValueError("no text")


def test_a_value_that_cannot_be_written_says_so_instead_of_failing_the_end_of_the_run() -> None:
    assert capped([Broken()], limit=1024) == Capped('"not recorded: ValueError"', truncated=True)


def test_a_bottomless_payload_says_so_instead_of_failing_the_end_of_the_run() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert capped(nested, limit=1024) == Capped('"not recorded: RecursionError"', truncated=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(payload=JSON, limit=st.integers(64, 300))
def test_what_is_stored_is_valid_json_of_at_most_the_limit(payload: Any, limit: int) -> None:
    stored = capped(payload, limit=limit)
    if stored.text is None:
        assert payload is None
        return
    json.loads(stored.text)
    assert len(stored.text.encode()) <= limit
    assert "\\u0000" not in stored.text


@given(text=st.text(st.sampled_from('"\\\x01\nüx😀'), min_size=60, max_size=400))
def test_the_beginning_that_is_kept_fills_the_limit(text: str) -> None:
    stored = capped(text, limit=64)
    assert stored.text is not None
    if stored.truncated:
        assert json.dumps(text, ensure_ascii=False).startswith(json.loads(stored.text))
        # No character of these takes more than four bytes once it is escaped for the second time.
        assert 64 - 4 < len(stored.text.encode()) <= 64
