"""Which servers may be called: http(s) URLs of the registry, at addresses that the core's rules let through.

The setting VOLTMX_ALLOW_ADDRESSES names what is allowed beyond the open network.
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ValidationError

from scheduler.addresses import RefusedAddress, Rules

__all__ = ["RULES", "RefusedAddress", "check_address", "check_server", "check_url", "parts_of", "resolve"]

RULES = Rules("VOLTMX_ALLOW_ADDRESSES")
resolve = RULES.resolve
check_address = RULES.check


def parts_of(url: str) -> SplitResult:
    """Return the parts of a server's URL. Raises ``RefusedAddress`` where it is none that can be called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedAddress("the server's URL cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise RefusedAddress("a server's URL must be http:// or https:// with a host")
    if parts.username is not None or parts.password is not None:
        raise RefusedAddress("a server's URL must not hold a user name or a password")
    if parts.query or parts.fragment or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise RefusedAddress("a server's URL must be plain ASCII without a query or a fragment")
    return parts


def check_url(url: str) -> None:
    """Raise Django's ``ValidationError`` unless ``url`` can be a server's."""
    try:
        parts_of(url)
    except RefusedAddress as refusal:
        raise ValidationError(str(refusal)) from None


def check_server(url: str) -> None:
    """Raise ``RefusedAddress`` where the server's name leads to an address that must not be called.

    A name that does not resolve is no reason: the call will say so.
    """
    parts = parts_of(url)
    try:
        resolve(parts.hostname or "", parts.port or 0)
    except OSError:
        return
