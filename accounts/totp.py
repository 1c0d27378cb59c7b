"""Codes of authenticator apps: RFC 6238 with what the apps take for granted, SHA-1, six digits and 30 seconds."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
# A clock may be half a minute off, and a code may be typed as its time ends.
_TOLERANCE = 1
# RFC 4226 recommends 160 bits.
_SEED_BYTES = 20


def new_seed() -> str:
    """Return a seed as apps take it: base32, without padding."""
    return base64.b32encode(secrets.token_bytes(_SEED_BYTES)).decode()


def code_at(seed: str, step: int) -> str:
    """Return the code of a time step (RFC 4226, section 5.3). Raises ``ValueError`` for a seed that is no base32."""
    try:
        key = base64.b32decode(seed, casefold=True)
    except binascii.Error as error:
        raise ValueError("the seed is no base32") from error
    digest = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[offset : offset + 4])[0] & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def step_of(seed: str, code: str, *, now: float) -> int | None:
    """Return the time step, near ``now`` (seconds since 1970), whose code this is; None where it is no such code."""
    current = int(now // STEP_SECONDS)
    found = None
    for step in range(current - _TOLERANCE, current + _TOLERANCE + 1):
        # All are compared, whichever fits: the time that it takes tells nothing.
        if hmac.compare_digest(code_at(seed, step).encode(), code.encode(errors="replace")):
            found = step
    return found


def address_of(seed: str, *, account: str, issuer: str) -> str:
    """Return what the QR code holds, in the form that the apps agree on: ``otpauth://totp/Issuer:account?…``."""
    query = urlencode({"secret": seed, "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer, safe='')}:{quote(account, safe='')}?{query}"
