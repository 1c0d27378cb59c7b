"""Where the request under way comes from: what the audit and the lock-outs need to know of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_request: ContextVar[HttpRequest | None] = ContextVar("accounts_request", default=None)
_command: ContextVar[str] = ContextVar("accounts_command", default="")
_acting: ContextVar[str] = ContextVar("accounts_acting", default="")


@dataclass(frozen=True)
class Origin:
    """Who acts, from which address, by which kind of login, in which request. Empty where nobody knows."""

    by: str = ""
    via: str = ""
    address: str = ""
    request_id: str = ""


class OriginMiddleware:
    """Keeps the request at hand for as long as it is being answered."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        mark = _request.set(request)
        try:
            return self._get_response(request)
        finally:
            _request.reset(mark)


@contextmanager
def command(name: str) -> Iterator[None]:
    """Say that what is done inside is done by a command of the shell."""
    mark = _command.set(name)
    try:
        yield
    finally:
        _command.reset(mark)


@contextmanager
def acting(name: str) -> Iterator[None]:
    """Say that what is done inside is done for somebody whom this request is about to log in."""
    mark = _acting.set(name)
    try:
        yield
    finally:
        _acting.reset(mark)


def current() -> Origin:
    """Return where what happens now comes from."""
    request = _request.get()
    if request is None:
        name = _command.get()
        return Origin(by=f"command {name}", via="shell") if name else Origin()
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    token = getattr(user, "token", None)
    return Origin(
        by=_acting.get() or (user.get_username() if user is not None and known else ""),
        via=f"token {token.prefix}" if token is not None else _door(request) if known else "",
        address=address_of(request),
        request_id=_request_id(request),
    )


def address_of(request: HttpRequest) -> str:
    """Return the client's address: the peer, or what the trusted proxies in front of us saw. Empty if it is none."""
    proxies: int = settings.TRUSTED_PROXIES
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    found = hops[-min(proxies, len(hops))] if proxies and hops else str(request.META.get("REMOTE_ADDR", ""))
    try:
        return str(ipaddress.ip_address(found))
    except ValueError:
        return found[:64] if found.isascii() and found.isprintable() else ""


def network_of(address: str) -> str:
    """Return what one client can send from: an IPv4 address, or the /64 that an IPv6 client has to itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return address


def _door(request: HttpRequest) -> str:
    if request.headers.get("Authorization", "")[:6].lower() == "basic ":
        return "password"
    return "session" if settings.SESSION_COOKIE_NAME in request.COOKIES else "claims"


def _request_id(request: HttpRequest) -> str:
    sent = str(getattr(request, "request_id", "") or request.headers.get("X-Request-ID", ""))
    return sent if _REQUEST_ID.fullmatch(sent) else ""
