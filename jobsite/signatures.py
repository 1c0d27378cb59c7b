"""Signatures of messages: who writes to Redis without knowing the secret key cannot ask workers for anything new.

Each message that Celery publishes from here carries a header with an instant, a number used once and a MAC over these,
what Celery's own headers say, and the body. The key is ``SECRET_KEY``; workers take ``SECRET_KEY_FALLBACKS`` as well,
so that a key can be changed while messages wait.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery.signals import before_task_publish
from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from kombu.utils.json import dumps

HEADER = "jobsite_signature"
# What Celery writes into a message's headers: what of it says which task runs, when, how often and after what.
SIGNED = (
    "argsrepr",
    "eta",
    "expires",
    "group",
    "group_index",
    "id",
    "ignore_result",
    "kwargsrepr",
    "lang",
    "origin",
    "parent_id",
    "replaced_task_nesting",
    "retries",
    "root_id",
    "shadow",
    "stamped_headers",
    "stamps",
    "task",
    "timelimit",
)
# A message may wait this long for a worker; what is older is refused, so that no number need be known for longer.
LIFETIME_SECONDS = 7 * 86400
# How far the clocks of two hosts may be apart.
_SKEW_SECONDS = 3600


@dataclass(frozen=True)
class Signature:
    """What a message's signature says beside the MAC: when it was made (Unix seconds), and a number used once."""

    issued: int
    nonce: str

    @property
    def until(self) -> float:
        """The instant (Unix seconds) after which no message with this signature is taken."""
        return float(self.issued + LIFETIME_SECONDS)


def sign(headers: Mapping[str, Any], body: bytes) -> str:
    """Return the signature of a message with these headers and this body, under the first key."""
    issued, nonce = int(time.time()), secrets.token_hex(16)
    return f"{issued}.{nonce}.{_mac(settings.SECRET_KEY, f'{issued}.{nonce}', headers, body)}"


def verified(headers: Mapping[str, Any], body: bytes) -> Signature | None:
    """Return the signature of a message; None where there is none, or it is not ours, or too old."""
    stated = headers.get(HEADER)
    if not isinstance(stated, str) or not stated.isascii() or stated.count(".") != 2:
        return None
    head, _, mac = stated.rpartition(".")
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    # All of them, whichever fits: how long it takes tells nothing.
    if not sum(constant_time_compare(_mac(key, head, headers, body), mac) for key in keys):
        return None
    found = read(stated)
    now = time.time()
    return found if now - LIFETIME_SECONDS <= found.issued <= now + _SKEW_SECONDS else None


def read(stated: str) -> Signature:
    """Return what a header says that was verified before."""
    issued, nonce, _ = stated.split(".")
    return Signature(int(issued), nonce)


def _mac(key: str, head: str, headers: Mapping[str, Any], body: bytes) -> str:
    told = dumps({name: headers.get(name) for name in SIGNED}, sort_keys=True)  # type: ignore[no-untyped-call]
    text = f"{head}\n{told}\n{hashlib.sha256(body).hexdigest()}"
    return salted_hmac("jobsite.message", text, secret=key, algorithm="sha256").hexdigest()


@before_task_publish.connect  # type: ignore[untyped-decorator]
def _sign_task(headers: dict[str, Any], body: Any, **_: Any) -> None:
    """Sign what Celery is about to publish, each message anew: a retry is another one."""
    headers[HEADER] = sign(headers, dumps(body).encode())  # type: ignore[no-untyped-call]
