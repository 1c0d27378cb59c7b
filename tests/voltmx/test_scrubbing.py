"""What a service echoes of the secrets that it was sent, in whichever way it writes them."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from voltmx.foundry.operation import scrubbed
from voltmx.secret import MASK

SECRET = 'swörd/fish+"x y'
BASIC = "Basic " + base64.b64encode(b"ada:p4ss:word").decode()


@pytest.mark.parametrize(
    ("secret", "echoed"),
    [
        (SECRET, SECRET),
        (SECRET, quote(SECRET)),
        (SECRET, quote(SECRET, safe="")),
        (SECRET, quote_plus(SECRET)),
        (SECRET, json.dumps(SECRET)[1:-1]),
        (SECRET, base64.b64encode(SECRET.encode()).decode()),
        ("Bearer t0ken", "t0ken"),
        (BASIC, BASIC.removeprefix("Basic ")),
        (BASIC, "p4ss:word"),
    ],
)
def test_a_secret_is_taken_out_of_an_answer_however_it_is_written(secret: str, echoed: str) -> None:
    assert scrubbed({f"a {echoed}": [f"b {echoed} c", 1]}, [secret]) == {f"a {MASK}": [f"b {MASK} c", 1]}


def test_what_is_too_short_to_be_told_from_other_text_stays() -> None:
    assert scrubbed("abc", ["abc", "Basic a"]) == "abc"
