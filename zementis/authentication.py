"""Who asks: Basic credentials as the vendor's clients send them, with or without a tenant in front of the user."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import AbstractBaseUser, User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

_REMEMBER_SECONDS = 300.0
_REMEMBERED = 1_000
_FAILURES_ALLOWED = 20
_FAILURES_SECONDS = 60.0
_LONGEST = 4_096


class VerifiedCredentials:
    """Credentials that were right a moment ago, so that not each request pays for a slow password hash.

    What is kept is an HMAC under a key of this process over the user's stored hash and the password: a changed
    password, or a user's new hash, misses at once, and the memory gives no password away.
    """

    def __init__(self, *, seconds: float = _REMEMBER_SECONDS) -> None:
        self._key = secrets.token_bytes(32)
        self._seconds = seconds
        self._lock = threading.Lock()
        self._until: OrderedDict[bytes, float] = OrderedDict()

    def known(self, user: User, password: str) -> bool:
        """Whether these credentials were verified recently."""
        digest = self._digest(user, password)
        with self._lock:
            return self._until.get(digest, 0.0) > time.monotonic()

    def remember(self, user: User, password: str) -> None:
        """Keep that these credentials are right."""
        digest = self._digest(user, password)
        with self._lock:
            self._until[digest] = time.monotonic() + self._seconds
            self._until.move_to_end(digest)
            while len(self._until) > _REMEMBERED:
                self._until.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._until.clear()

    def _digest(self, user: User, password: str) -> bytes:
        text = f"{user.pk}\0{user.password}\0{password}"
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


class FailureLimit:
    """Counts failed logins per user and address, so that passwords cannot be tried at leisure."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def check(self, key: tuple[str, str]) -> None:
        """Raise ``Throttled`` after too many recent failures."""
        now = time.monotonic()
        with self._lock:
            recent = [when for when in self._failures.get(key, []) if when > now - _FAILURES_SECONDS]
            if len(recent) >= _FAILURES_ALLOWED:
                raise Throttled(wait=max(1.0, recent[0] + _FAILURES_SECONDS - now))

    def count(self, key: tuple[str, str]) -> None:
        """Count a failure."""
        now = time.monotonic()
        with self._lock:
            recent = [when for when in self._failures.pop(key, []) if when > now - _FAILURES_SECONDS]
            self._failures[key] = [*recent, now][-_FAILURES_ALLOWED:]
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._failures.clear()


verified = VerifiedCredentials()
failures = FailureLimit()


class CumulocityAuthentication(BaseAuthentication):
    """``Authorization: Basic base64([tenant/]user:password)``. There is one tenant, so its name is not looked at."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Any] | None:
        """Return the user, None where the request names nobody. Raises ``AuthenticationFailed``, ``Throttled``."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, rest = header.partition(" ")
        if not header:
            return None
        if scheme.lower() == "bearer":
            return self.bearer(request, rest.strip())
        if scheme.lower() != "basic":
            raise AuthenticationFailed
        name, password = _decoded(rest.strip())
        return self._verified(request, name, password), None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge; browsers' clients ask for one that opens no login window."""
        scheme = "XBasic" if "HTTP_USEXBASIC" in request.META else "Basic"
        return f'{scheme} realm="Cumulocity"'

    def bearer(self, request: Request, token: str) -> tuple[AbstractBaseUser, Any] | None:
        """Return the user of a bearer token. None are given out yet, so none is right."""
        raise AuthenticationFailed

    def _verified(self, request: Request, name: str, password: str) -> AbstractBaseUser:
        if "\x00" in name:
            raise AuthenticationFailed
        user = User.objects.filter(username=name).first()
        if user is not None and user.is_active and verified.known(user, password):
            return user
        key = (name[:150], request.META.get("REMOTE_ADDR", ""))
        failures.check(key)
        found = authenticate(request._request, username=name, password=password)
        if found is None:
            failures.count(key)
            raise AuthenticationFailed
        if isinstance(found, User):
            verified.remember(found, password)
        return found


def _decoded(text: str) -> tuple[str, str]:
    """Return user and password. Raises ``AuthenticationFailed``."""
    try:
        if len(text) > _LONGEST:
            raise ValueError(text)
        decoded = base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise AuthenticationFailed from None
    login, colon, password = decoded.partition(":")
    if not colon:
        raise AuthenticationFailed
    # User names hold no slash, so what stands before one is the tenant.
    return login.rpartition("/")[2], password
