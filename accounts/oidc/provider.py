"""Calls of the provider: its configuration, the token for a code, its keys, what it knows of a user.

Only hosts that settings name are called, under the rules for addresses, without redirects, within bounds of time and
size. TLS is verified; plain HTTP is for loopback addresses in development, which the settings see to.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlsplit

from django.conf import settings

from scheduler import transport
from scheduler.addresses import RefusedAddress, Rules

logger = logging.getLogger(__name__)

_TOO_LONG = "the answer took too long"

RULES = Rules("OIDC_ALLOW_ADDRESSES")
LARGEST_ANSWER = 1 << 18
_CONNECT_SECONDS, _READ_SECONDS, _TOTAL_SECONDS = 5.0, 10.0, 20.0
_CHUNK = 1 << 14
# Who can open the login page can ask for the provider's description; it is asked for once in so long.
_KEPT_SECONDS = 60.0
# So many sign-ins may wait for the provider: one that hangs must not hold all threads.
_at_once = threading.BoundedSemaphore(max(1, settings.STACK_WEB_THREADS // 4))
# And so many for one of those places, for a moment: a morning's logins come together, and each has spent its state.
_in_line = threading.BoundedSemaphore(max(1, settings.STACK_WEB_THREADS // 4))
_IN_LINE_SECONDS = 3.0
_kept: dict[str, tuple[float, Any]] = {}
_ends: ContextVar[float] = ContextVar("accounts_oidc_ends", default=float("inf"))


class ProviderFailed(Exception):
    """The provider could not be asked, or its answer is not to be trusted. The message is for the log."""


@dataclass(frozen=True)
class Provider:
    """Where a provider is asked for what, as it says itself; each address is on a host that may be called."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str
    basic: bool

    def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> dict[str, Any]:
        """Return the answer to a code: an ID token and an access token. Raises ``ProviderFailed``."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        secret: str = settings.OIDC_CLIENT_SECRET
        if secret and self.basic:
            # RFC 6749, 2.3.1: both are form-encoded first.
            user, password = quote(settings.OIDC_CLIENT_ID, safe=""), quote(secret, safe="")
            return _call("POST", self.token, data=form, auth=(user, password))
        form["client_id"] = settings.OIDC_CLIENT_ID
        if secret:
            form["client_secret"] = secret
        return _call("POST", self.token, data=form)

    def key_set(self) -> dict[str, Any]:
        """Return the provider's JSON web keys as they are now. Raises ``ProviderFailed``."""
        return _call("GET", self.keys)

    def claims_of(self, access_token: str) -> dict[str, Any]:
        """Return what the provider knows of whom the token is for. Raises ``ProviderFailed``."""
        return _call("GET", self.userinfo, headers={"Authorization": f"Bearer {access_token}"})


@contextmanager
def deadline() -> Iterator[None]:
    """Give all calls inside, together, the time that one may take. Raises ``ProviderFailed`` where too many wait."""
    if not _place():
        raise ProviderFailed("too many sign-ins wait for it")
    mark = _ends.set(time.monotonic() + _TOTAL_SECONDS)
    try:
        yield
    finally:
        _ends.reset(mark)
        _at_once.release()


def _place() -> bool:
    """Take a place among those that wait for the provider; return whether one became free in time."""
    if _at_once.acquire(blocking=False):
        return True
    if not _in_line.acquire(blocking=False):
        return False
    try:
        return _at_once.acquire(timeout=_IN_LINE_SECONDS)
    finally:
        _in_line.release()


def discover() -> Provider:
    """Return the provider of the settings as it describes itself, now or a minute ago. Raises ``ProviderFailed``."""
    issuer: str = settings.OIDC_ISSUER
    until, known = _kept.get(issuer, (0.0, None))
    if known is not None and time.monotonic() < until:
        return cast(Provider, known)
    found = _described(issuer)
    _kept[issuer] = (time.monotonic() + _KEPT_SECONDS, found)
    return found


def _described(issuer: str) -> Provider:
    told = _call("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if told.get("issuer") != issuer:
        raise ProviderFailed("its configuration names another issuer than OIDC_ISSUER")
    methods = told.get("token_endpoint_auth_methods_supported")
    return Provider(
        issuer=issuer,
        authorization=_endpoint(told, "authorization_endpoint"),
        token=_endpoint(told, "token_endpoint"),
        keys=_endpoint(told, "jwks_uri"),
        userinfo=_endpoint(told, "userinfo_endpoint") if told.get("userinfo_endpoint") else "",
        # What is not said is basic: OpenID Connect Discovery 1.0, section 3. Where both go, the form: not every
        # provider decodes what basic's user and password have to be encoded with.
        basic=not isinstance(methods, list) or "client_secret_post" not in methods,
    )


def _endpoint(told: dict[str, Any], name: str) -> str:
    address = told.get(name)
    if not isinstance(address, str):
        raise ProviderFailed(f"its configuration has no {name}")
    _check(address)
    return address


def _check(address: str) -> None:
    """Raise ``ProviderFailed`` unless the address is on a host of the settings, by no weaker scheme than the issuer."""
    try:
        parts, home = urlsplit(address), urlsplit(settings.OIDC_ISSUER)
        at_home = (parts.scheme, parts.hostname, parts.port) == (home.scheme, home.hostname, home.port)
        elsewhere = parts.scheme == "https" and parts.port is None and parts.hostname in settings.OIDC_HOSTS
    except ValueError:
        raise ProviderFailed("an address of its configuration cannot be read") from None
    if not (at_home or elsewhere) or parts.username is not None or parts.fragment:
        raise ProviderFailed(f"{parts.scheme}://{parts.netloc} is neither the issuer's host nor one of OIDC_HOSTS")


def _call(method: str, address: str, **more: Any) -> dict[str, Any]:
    _check(address)
    headers = {"Accept": "application/json", **more.pop("headers", {})}
    try:
        with (
            _cut_in_time() as line,
            transport.session(RULES).request(
                method,
                address,
                headers=headers,
                timeout=(_CONNECT_SECONDS, _READ_SECONDS),
                allow_redirects=False,
                stream=True,
                **more,
            ) as response,
        ):
            status, body = response.status_code, _read(response)
            if line.is_cut:
                # A body without a length ends like any other when it is cut.
                raise ProviderFailed(_TOO_LONG)
    except (ProviderFailed, RefusedAddress) as error:
        raise ProviderFailed(f"{urlsplit(address).path}: {error}") from None
    except Exception as error:  # requests, urllib3 and socket each have their own
        if line.is_cut:
            raise ProviderFailed(f"{urlsplit(address).path}: {_TOO_LONG}") from None
        raise ProviderFailed(f"{urlsplit(address).path} could not be called: {type(error).__name__}") from error
    if status != 200:
        raise ProviderFailed(f"{urlsplit(address).path} answered with HTTP status {status}")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ProviderFailed(f"{urlsplit(address).path} did not answer with a JSON object")
    return told


@contextmanager
def _cut_in_time() -> Iterator[transport.Line]:
    """Cut what this thread reads inside once the time is over: bytes drip in too often for any time-out of a read."""
    seconds = min(_TOTAL_SECONDS, _ends.get() - time.monotonic())
    if seconds <= 0:
        raise ProviderFailed(_TOO_LONG)
    line = transport.Line()
    timer = threading.Timer(seconds, line.cut)
    timer.daemon = True
    timer.start()
    transport.use_line(line)
    try:
        yield line
    finally:
        timer.cancel()
        transport.use_line(None)


def _read(response: Any) -> bytes:
    """Return the body, decoded. Raises ``ProviderFailed`` where it is too large."""
    body = b""
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise ProviderFailed(f"the answer is larger than {LARGEST_ANSWER} bytes")
    return body
