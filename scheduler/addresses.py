"""Which addresses may be called from here, and which are this machine's and this network's private parts.

Link-local and metadata addresses, multicast and unspecified ones are refused, loopback and private networks where a
setting does not name them. A name is resolved for each new connection, and the connection goes
to the very address that was checked: a name that changes its answer in between gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Cloud metadata services outside the link-local range.
_METADATA = frozenset(ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16"))
# What a setting may name beside networks and addresses.
_KINDS = ("loopback", "private", "link-local")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class RefusedAddress(Exception):
    """A server's address is one that must not be called."""


@dataclass(frozen=True)
class Rules:
    """Which addresses may be called. ``setting`` names the setting that allows some beyond the open network."""

    setting: str

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of ``host`` that may be called, in the resolver's order.

        Raises ``OSError`` where there are none at all, and ``RefusedAddress`` where one of them must not be called: a
        name with a good and a bad address is not to be trusted with either.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
        for address in addresses:
            self.check(address)
        return addresses

    def check(self, text: str) -> None:
        """Raise ``RefusedAddress`` where the address must not be called."""
        address = _plain(ipaddress.ip_address(text.split("%")[0]))
        allowed: Sequence[str] = getattr(settings, self.setting)
        kind = _kind(address)
        if kind is None or kind in allowed:
            return
        if any(address in ipaddress.ip_network(network) for network in allowed if network not in _KINDS):
            return
        raise RefusedAddress(f"{text} is a {kind} address, which {self.setting} does not allow")


def _kind(address: IpAddress) -> str | None:
    """Return what is special about an address, None for one of the open network."""
    if address.is_link_local or address in _METADATA:
        return "link-local"
    if address.is_loopback:
        return "loopback"
    if address.is_unspecified or address.is_multicast:
        return "reserved"
    if address.is_private or not address.is_global or address.is_reserved or getattr(address, "is_site_local", False):
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
