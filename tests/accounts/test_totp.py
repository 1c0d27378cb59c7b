"""Codes of authenticator apps against the vectors of RFC 6238, appendix B (SHA-1), cut to six digits."""

from __future__ import annotations

import base64

import pytest

from accounts import totp

SEED = base64.b32encode(b"12345678901234567890").decode()
VECTORS = {59: "287082", 1111111109: "081804", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"}


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
def test_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert totp.code_at(SEED, seconds // 30) == code


@pytest.mark.parametrize(("late", "step"), [(-31, None), (-30, 37037036), (0, 37037036), (59, 37037036), (60, None)])
def test_a_code_is_good_for_its_time_and_half_a_minute_around(late: int, step: int | None) -> None:
    assert totp.step_of(SEED, "081804", now=37037036 * 30 + late) == step


def test_what_is_no_code_is_none() -> None:
    found = [totp.step_of(SEED, code, now=59) for code in ("", "28708", "2870820", "٢٨٧٠٨٢", "287082 ", "\ud800")]
    assert found == [None] * 6


def test_the_picture_holds_what_apps_read() -> None:
    assert totp.address_of("ABC", account="ada/é", issuer="Jobsite example.com") == (
        "otpauth://totp/Jobsite%20example.com:ada%2F%C3%A9?secret=ABC&issuer=Jobsite%20example.com&digits=6&period=30"
    )
