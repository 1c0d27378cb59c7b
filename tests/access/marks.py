"""Secrets that are told apart by the place where they went in, and the search for them."""

from __future__ import annotations

import base64

SIGN = "zq7"
NAMES = (
    *("registry-app-secret", "registry-password", "runtime-token", "header-bearer", "header-key", "header-basic"),
    *("query-key", "job-app-secret", "job-password", "post-password", "run-secret", "channel-password", "channel-path"),
    *("ping-path", "tenant-password", "user-password", "wrong-password", "name-typed-as-password", "api-token"),
    *("broker-password", "mail-password", "metrics-token", "oidc-secret", "signing-key", "second-factor"),
)


def mark(name: str) -> str:
    """The secret for a place; what is special to URLs, JSON and HTML is in it, beside what survives all of them."""
    assert name in NAMES
    return f'{SIGN}-{name}/+"&é'


def plain(name: str) -> str:
    """A secret for where not every character may be."""
    assert name in NAMES
    return f"{SIGN}-{name}"


def seen(text: str) -> list[str]:
    """The marks in a text, also where they are in base64."""
    found = [name for name in NAMES if f"{SIGN}-{name}" in text]
    for name in NAMES:
        for shift in range(3):
            packed = base64.b64encode(b"." * shift + f"{SIGN}-{name}".encode()).decode()
            # What the bytes before and behind it have a part in is cut off.
            if packed[4 if shift else 0 : -4] in text:
                found.append(f"{name} in base64")
                break
    return found
