"""Logins that operations need: app users, anonymous or not, and accounts. Their tokens are kept until they expire.

* Anonymous app user: ``POST {server}/authService/{appKey}/login`` with the app's key and secret as headers.
* Authenticated app user: the same with ``?provider={identity}`` and ``userid`` and ``password``.
* Account (``ADMIN``): ``POST {server}/authService/accounts/login`` with ``userid`` and ``password``.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from scheduler.strict_json import UnreadableJson, read_storable
from voltmx.arguments import Arguments, SecurityLevel
from voltmx.foundry.calls import Call
from voltmx.foundry.client import Client
from voltmx.foundry.errors import NoIdentity
from voltmx.registry import Server

APP_KEY_HEADER, APP_SECRET_HEADER = "X-VoltMX-App-Key", "X-VoltMX-App-Secret"  # noqa: S105 - headers' names
# A token that ends within this is not used any more: the call takes time, and clocks differ.
_SPARE_SECONDS = 15
_WITHOUT_EXPIRY_SECONDS = 300
_MOST_KEPT = 1000
_RETRYABLE = frozenset((429, 502, 503, 504))


@dataclass(frozen=True, kw_only=True)
class Login:
    """What to log in with, in the clear: never stored, never shown."""

    url: str
    provider: str = field(default="", repr=False)
    app_key: str = field(default="", repr=False)
    app_secret: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def key(self) -> str:
        """What makes logins the same, without giving it away."""
        parts = (self.url, self.provider, self.app_key, self.app_secret, self.username, self.password)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @property
    def secrets(self) -> list[str]:
        """What must not be seen anywhere."""
        return [text for text in (self.app_secret, self.password) if text]

    def call(self) -> Call:
        """Return the request that logs in."""
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        if self.app_key:
            headers |= {APP_KEY_HEADER: self.app_key, APP_SECRET_HEADER: self.app_secret}
        fields = {"userid": self.username, "password": self.password} if self.username else {}
        url = f"{self.url}?{urlencode({'provider': self.provider})}" if self.provider else self.url
        return Call(method="POST", url=url, headers=headers, body=urlencode(fields).encode())


def login_for(arguments: Arguments, server: Server) -> Login | None:
    """Return the login that a job's operation needs, None for a public one.

    The job's own ``authentication`` counts before the registry's. Raises ``NoIdentity`` where neither is enough.
    """
    level = arguments.level
    if level is SecurityLevel.PUBLIC:
        return None
    own = arguments.authentication
    app_key = own.app_key if own and own.app_key else server.app_key
    app_secret = own.app_secret if own and own.app_key else server.app_secret
    has_user = own is not None and bool(own.username)
    username = own.username if own is not None and has_user else server.username
    password = own.password if own is not None and has_user else server.password
    plain = {
        "app_secret": app_secret.reveal() if app_secret else "",
        "username": username,
        "password": password.reveal() if password else "",
    }
    if own is not None and own.type == "ADMIN" and username:
        return Login(url=f"{server.url}/authService/accounts/login", username=username, password=plain["password"])
    if not app_key:
        raise NoIdentity("the operation needs a login: neither the job nor the registry has an app key")
    url = server.url + (server.login_path or f"/authService/{quote(app_key, safe='')}/login")
    if level is SecurityLevel.ANONYMOUS:
        return Login(url=url, app_key=app_key, app_secret=plain["app_secret"])
    if not username:
        raise NoIdentity("the operation needs an app user: neither the job nor the registry has one")
    identity = (own.identity if own is not None and has_user else "") or server.identity
    return Login(url=url, app_key=app_key, provider=identity, **plain)


class Tokens:
    """Claims tokens of logins, kept until they expire; at most one login at a time for each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._doors: dict[str, tuple[threading.Lock, int]] = {}

    def token_for(self, login: Login, client: Client) -> str:
        """Return a token that is still good, having logged in if need be. Raises ``CallFailed``."""
        key = login.key
        with self._door(key):
            found = self._find(key)
            if found is not None:
                return found
            token, expires_at = log_in(login, client)
            with self._lock:
                self._kept[key] = (token, expires_at)
                self._kept.move_to_end(key)
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
            return token

    def drop(self, login: Login, token: str) -> None:
        """Forget a token that a server did not take, unless a newer one is kept already."""
        with self._lock:
            if self._kept.get(login.key, ("", 0.0))[0] == token:
                del self._kept[login.key]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()

    def _find(self, key: str) -> str | None:
        with self._lock:
            token, expires_at = self._kept.get(key, ("", 0.0))
            return token if token and expires_at - _SPARE_SECONDS > time.time() else None

    def _door(self, key: str) -> _Door:
        return _Door(self._lock, self._doors, key)


class _Door:
    """A lock per key that is there only while somebody uses it."""

    def __init__(self, lock: threading.Lock, doors: dict[str, tuple[threading.Lock, int]], key: str) -> None:
        self._lock, self._doors, self._key = lock, doors, key

    def __enter__(self) -> None:
        with self._lock:
            door, users = self._doors.get(self._key, (threading.Lock(), 0))
            self._doors[self._key] = (door, users + 1)
        door.acquire()

    def __exit__(self, *_: Any) -> None:
        with self._lock:
            door, users = self._doors[self._key]
            if users > 1:
                self._doors[self._key] = (door, users - 1)
            else:
                del self._doors[self._key]
        door.release()


tokens = Tokens()


def log_in(login: Login, client: Client) -> tuple[str, float]:
    """Return a fresh token and its end in seconds since the epoch. Raises ``CallFailed``."""
    answer = client.send(login.call())
    try:
        value = read_storable(answer.body)
    except UnreadableJson:
        value = None
    if answer.status != 200:
        told = value.get("message") if isinstance(value, dict) else None
        text = f": {told}"[:300] if isinstance(told, str) else ""
        raise NoIdentity(f"the login was refused with HTTP status {answer.status}{text}",
                         retryable=answer.status in _RETRYABLE)  # fmt: skip
    claims = value.get("claims_token") if isinstance(value, dict) else None
    token = claims.get("value") if isinstance(claims, dict) else None
    if not isinstance(claims, dict) or not isinstance(token, str) or not token or not token.isascii() or "\n" in token:
        raise NoIdentity("the login's answer has no claims token")
    ends = claims.get("exp")
    expires_at = ends / 1000 if isinstance(ends, (int, float)) else time.time() + _WITHOUT_EXPIRY_SECONDS
    return token, expires_at
