"""Calls of ping URLs: bounded in time and size, under the rules for addresses, never off the URL's host."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from scheduler import transport
from scheduler.addresses import RefusedAddress
from scheduler.alerts.channels import RULES
from scheduler.transport import Line

LONGEST_URL = 500
_CONNECT_SECONDS, _READ_SECONDS = 5.0, 10.0
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_READ_BYTES = 65536


class PingFailed(Exception):
    """A URL could not be called, or did not answer with success. The message does not hold the URL."""


def check(url: str) -> None:
    """Raise ``PingFailed`` unless ``url`` can be a ping URL whose host may be called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise PingFailed("it cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise PingFailed("it must be http:// or https:// with a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise PingFailed("it must hold no user name, no password and no fragment")
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise PingFailed(f"it must be plain ASCII of at most {LONGEST_URL} characters")
    try:
        RULES.resolve(parts.hostname, port or 0)
    except RefusedAddress as refusal:
        raise PingFailed(str(refusal)) from None
    except OSError:
        # A name that does not resolve is what the call will tell.
        return


def call(url: str, *, failed: bool, line: Line) -> None:
    """Call ``url``, with ``/fail`` after its path where a run ``failed``. Raises ``PingFailed``.

    ``line`` can be cut from another thread, which ends the call.
    """
    target = _failing(url) if failed else url
    transport.use_line(line)
    try:
        for _ in range(_MOST_REDIRECTS + 1):
            status, location = _get(target)
            if status not in _REDIRECTS or not location:
                break
            following = urljoin(target, location)
            if _origin(following) != _origin(target):
                raise PingFailed("it redirects to another host")
            target = following
        if not 200 <= status < 300:
            raise PingFailed(f"it answered with HTTP status {status}")
    finally:
        transport.use_line(None)


def _get(url: str) -> tuple[int, str]:
    try:
        with transport.session(RULES).get(
            url, timeout=(_CONNECT_SECONDS, _READ_SECONDS), allow_redirects=False, stream=True
        ) as response:
            # What it says matters to nobody; a little is read so that the connection can be used again.
            response.raw.read(_READ_BYTES)
            return response.status_code, response.headers.get("Location", "")
    except RefusedAddress as refusal:
        raise PingFailed(str(refusal)) from None
    except Exception as error:  # requests, urllib3 and socket each have their own, and a cut line breaks in many ways
        raise PingFailed(f"it could not be called: {type(error).__name__}") from error


def _failing(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/fail").geturl()


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None, None
