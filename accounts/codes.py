"""Codes on paper: 80 random bits, in groups of four letters and digits that cannot be taken for one another."""

from __future__ import annotations

import base64
import secrets

_BYTES, _LONGEST = 10, 40


def new() -> str:
    """Return a code as it is compared."""
    return base64.b32encode(secrets.token_bytes(_BYTES)).decode()


def grouped(code: str) -> str:
    """Return a code as it is shown."""
    return "-".join(code[place : place + 4] for place in range(0, len(code), 4))


def typed(code: str) -> str:
    """Return what somebody typed as it is compared."""
    return "".join(code.split()).replace("-", "").upper()[:_LONGEST]
