"""Which servers may be called: http(s) URLs of the registry, at addresses that are not this machine's private parts.

Link-local and metadata addresses, multicast and unspecified ones are refused, loopback and private networks where the
setting VOLTMX_ALLOW_ADDRESSES does not name them. A name is resolved for each new connection, and the connection goes
to the very address that was checked: a name that changes its answer in between gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Cloud metadata services outside the link-local range.
_METADATA = frozenset(ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class RefusedAddress(Exception):
    """A server's address is one that must not be called."""


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


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of ``host`` that may be called, in the resolver's order.

    Raises ``OSError`` where there are none at all, and ``RefusedAddress`` where one of them must not be called: a name
    with a good and a bad address is not to be trusted with either.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    for address in addresses:
        check_address(address)
    return addresses


def check_address(text: str) -> None:
    """Raise ``RefusedAddress`` where the address must not be called."""
    address = _plain(ipaddress.ip_address(text.split("%")[0]))
    allowed = settings.VOLTMX_ALLOW_ADDRESSES
    kind = _kind(address)
    if kind is None or kind in allowed:
        return
    if any(address in ipaddress.ip_network(network) for network in allowed if "/" in network or "." in network):
        return
    raise RefusedAddress(f"{text} is a {kind} address, which VOLTMX_ALLOW_ADDRESSES does not allow")


def _kind(address: IpAddress) -> str | None:
    """Return what is special about an address, None for one of the open network."""
    if address.is_link_local or address in _METADATA:
        return "link-local"
    if address.is_loopback:
        return "loopback"
    if address.is_unspecified or address.is_multicast:
        return "unusable"
    if address.is_private or not address.is_global:
        return "private"
    return None


def _plain(address: IpAddress) -> IpAddress:
    """Return the IPv4 address inside an IPv6 one that is but a wrapper of it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
