"""JSON is read the same at every door: what is beyond the bounds is refused before it is built."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler import strict_json
from scheduler.strict_json import ANSWERS, Bounds, UnreadableJson

BOUNDS = Bounds(depth=3, elements=8, digits=64)
BRACKETS_IN_A_STRING = '["' + '[{,\\"' * 50 + '"]'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1),
        ('\ufeff{"a": "é"}'.encode(), {"a": "é"}),
        ("[[[]], {}]", [[[]], {}]),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("[1, 2, 3, 4, 5, 6, 7, 8]", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("9" * 64, int("9" * 64)),
        (BRACKETS_IN_A_STRING, ["[{,\"" * 50]),
        ('["' + "9" * 100 + '"]', ["9" * 100]),
        ('"\\ud800"', "\ud800"),
    ],
)  # fmt: skip
def test_what_is_within_the_bounds_is_read(text: bytes | str, expected: Any) -> None:
    assert strict_json.read(text, bounds=BOUNDS) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"\xff", "the text is not UTF-8"),
        ("{", "malformed JSON at line 1, column 2"),
        ('[1,\n"a" 2]', "malformed JSON at line 2, column 5"),
        ('["a\\', "malformed JSON at line 1, column 2"),
        ("[NaN]", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("[[[[]]]]", "the JSON is nested more than 3 levels deep"),
        ('{"a":{"b":[{}]}}', "the JSON is nested more than 3 levels deep"),
        ("[" * 100_000, "the JSON has more than 8 elements"),
        ("[" * 8, "malformed JSON at line 1, column 9"),
        ("[" * 4 + "]" * 4 + "]", "the JSON is nested more than 3 levels deep"),
        ("[1,2,3,4,5,6,7,8,9]", "the JSON has more than 8 elements"),
        ('{"a":1,"b":2,"c":{"d":1,"e":{"f":1}},"g":[1,2]}', "the JSON has more than 8 elements"),
        ("[" + "[]," * 9 + "1]", "the JSON has more than 8 elements"),
        ("9" * 65, "a number has more than 64 digits"),
        ("[1." + "0" * 64 + "]", "a number has more than 64 digits"),
        ("[-" + "1" * 5000 + "]", "a number has more than 64 digits"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_json_or_beyond_the_bounds_is_refused(text: bytes | str, problem: str) -> None:
    with pytest.raises(UnreadableJson) as refusal:
        strict_json.read(text, bounds=BOUNDS)
    assert (refusal.value.problem, refusal.value.path) == (problem, "")


@pytest.mark.parametrize(
    ("value", "problem", "path"),
    [
        ({"a": ["\0"]}, "the character U+0000 is not allowed", "a"),
        ({"a": {"b": "\ud800"}}, "half of a surrogate pair is not a character", "a.b"),
        ({"\udfff": 1}, "half of a surrogate pair is not a character", ""),
        ([1e999], "the number is too large", ""),
        ([-(10**301)], "the number is too large", ""),
        ([[[[]]]], "the JSON is nested too deeply", ""),
    ],
)
def test_what_no_row_can_keep_is_refused_with_its_place(value: Any, problem: str, path: str) -> None:
    with pytest.raises(UnreadableJson) as refusal:
        strict_json.check_storable(value, depth=3)
    assert (refusal.value.problem, refusal.value.path) == (problem, path)


def test_the_bounds_of_requests_are_settings(settings: Any) -> None:
    settings.JSON_DEPTH_LIMIT, settings.JSON_ELEMENTS_LIMIT, settings.JSON_NUMBER_LIMIT = 2, 3, 64
    assert Bounds.of_requests() == Bounds(2, 3, 64)
    for text in ("[[[]]]", "[1,2,3,4]", "1" * 65):
        with pytest.raises(UnreadableJson):
            strict_json.read(text)
        assert strict_json.read(text, bounds=ANSWERS) == json.loads(text)


def _size(value: Any) -> tuple[int, int]:
    """Depth and elements of a value, counted as it is."""
    if not isinstance(value, (dict, list)):
        return 0, 0
    inner = [_size(item) for item in (value.values() if isinstance(value, dict) else value)]
    return 1 + max((depth for depth, _ in inner), default=0), (len(value) or 1) + sum(count for _, count in inner)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", '\\"[{,']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=20,
)


@given(value=JSON, escaped=st.booleans())
def test_depth_and_elements_are_counted_as_they_are(value: Any, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    depth, elements = _size(value)
    assert strict_json.read(text, bounds=Bounds(depth, elements, 64)) == value
    for bounds in (Bounds(depth - 1, elements, 64), Bounds(depth, elements - 1, 64)):
        if min(bounds.depth, bounds.elements) >= 0:
            with pytest.raises(UnreadableJson):
                strict_json.read(text, bounds=bounds)
