"""Which answers of a service are successes."""

from __future__ import annotations

import pytest

from voltmx.foundry.answers import Verdict, judge
from voltmx.foundry.client import Answer


def verdict(body: bytes, *, status: int = 200, criterion: str = "") -> Verdict:
    """What an answer with this body means."""
    return judge(Answer(status, {}, body, 1), criterion=criterion)


@pytest.mark.parametrize("body", [b"{}", b'{"opstatus":0}', b'{"opstatus":0.0}', b'{"opstatus":"0"}', b' {"a":[]}\r\n'])
def test_no_opstatus_or_one_of_zero_is_a_success(body: bytes) -> None:
    assert verdict(body) == Verdict(True)


@pytest.mark.parametrize(
    ("opstatus", "told"), [("1", "1"), ("-1", "-1"), ("0.5", "0.5"), ('"x"', "x"), ("false", "False"), ("null", "None")]
)
def test_any_other_opstatus_is_a_failure_that_tells_it(opstatus: str, told: str) -> None:
    assert verdict(f'{{"opstatus":{opstatus},"errmsg":"why"}}'.encode()) == Verdict(False, f"opstatus {told}: why")


def test_the_criterion_is_looked_for_only_where_opstatus_is_zero() -> None:
    assert verdict(b'{"rows":"sunny"}', criterion="sunny") == Verdict(True)
    assert verdict(b'{"opstatus":7,"rows":"sunny"}', criterion="sunny") == Verdict(False, "opstatus 7")
    assert verdict(b'{"opstatus":0}', criterion="sunny") == Verdict(
        False, "the answer does not meet the success criteria"
    )
