"""What the samples' comparison takes for the reference's answer, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.zementis import Server, SetupFailed, differences


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
        ({"models": ["A", "Mine", "B"]}, {"models": ["Mine", "<others>"]}),
        (["Mine"], ["Mine", "<others>"]),
        (0.1 + 0.2, 0.3),
        ({"creationDate": "Nov 2, 2026", "share": 0.5}, {"creationDate": "<date>", "share": "<number>"}),
    ],
)
def test_the_references_answer_has_no_differences(found: Any, expected: Any) -> None:
    assert differences(found, expected) == []


@pytest.mark.parametrize(
    ("found", "expected", "told"),
    [
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, "body: keys ['b', 'a'] instead of ['a', 'b']"),
        ({"a": None}, {"a": ""}, "body.a: None instead of ''"),
        ([1, 2], [1], "body: 2 elements instead of 1"),
        (["A"], ["Mine", "<others>"], "body: no 'Mine' in ['A']"),
        ("A", ["A", "<others>"], "body: 'A' instead of ['A', '<others>']"),
        (True, 1, "body: True instead of 1"),
        (True, "<number>", "body: True is no <number>"),
        ("2026-11-02", "<date>", "body: '2026-11-02' is no <date>"),
        (5, "<number as text>", "body: 5 is no <number as text>"),
        ("", "<text>", "body: '' is no <text>"),
    ],
)
def test_another_answer_is_told_with_its_place(found: Any, expected: Any, told: str) -> None:
    assert differences(found, expected) == [told]


def test_a_sample_that_needs_what_another_did_not_give_fails_alone() -> None:
    step = {
        "name": "one job",
        "reference": "GET",
        "request": {"method": "GET", "path": "/job/{job}", "login": True},
        "answer": {"status": 200, "body": {}},
    }
    server = Server("http://127.0.0.1:1", "nobody", "none")
    assert [result.problems for result in server.run([step])] == [("no earlier answer gave {job}",)]
    with pytest.raises(SetupFailed, match="no earlier answer gave"):
        list(server.run([{**step, "setup": True, "expect": [200]}]))
