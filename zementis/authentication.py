"""Who asks: Basic credentials as the vendor's clients send them, with or without a tenant in front of the user.

An API token does as well, as ``Authorization: Bearer …``.
"""

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

from django.contrib.auth.models import AbstractBaseUser, User
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts import doors, tokens
from accounts.lockout import LockedOut
from accounts.origin import address_of

_REMEMBER_SECONDS = 300.0
_REMEMBERED = 1_000
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


verified = VerifiedCredentials()


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
        """Return the user of an API token of this surface. Raises ``AuthenticationFailed``, ``Throttled``."""
        try:
            return tokens.user_of(token, surface="zementis", address=address_of(request._request)), token
        except tokens.BadToken:
            raise AuthenticationFailed from None
        except LockedOut as refusal:
            raise Throttled(wait=refusal.seconds) from None

    def _verified(self, request: Request, name: str, password: str) -> AbstractBaseUser:
        if "\x00" in name:
            raise AuthenticationFailed
        user = User.objects.filter(username=name).first()
        if user is not None and user.is_active and verified.known(user, password):
            return user
        try:
            found = doors.enter(request._request, name=name, password=password, door="zementis")
        except LockedOut as refusal:
            raise Throttled(wait=refusal.seconds) from None
        if found is None:
            raise AuthenticationFailed
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
