"""Where calls may go."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from scheduler import job_types
from scheduler.models import Limit, Status
from tests.voltmx.wire import Run, sample
from voltmx import addresses, registry
from voltmx.addresses import RefusedAddress
from voltmx.arguments import read
from voltmx.demo.server import FoundryServer
from voltmx.models import Service


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",  # noqa: S104 - asked about, not bound to
        "::",
        "224.0.0.1",
        "ff02::1",
    ],
)
def test_link_local_metadata_and_unusable_addresses_are_refused(address: str, settings: Any) -> None:
    settings.VOLTMX_ALLOW_ADDRESSES = ["loopback", "private"]
    with pytest.raises(RefusedAddress):
        addresses.check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1"),
        # Out of use, and routed wherever a network still does: site-local, and wrappers of IPv4 addresses.
        *("fec0::1", "::127.0.0.1", "::ffff:0:7f00:1", "64:ff9b:1::7f00:1", "2001:0:7f00:1::"),
    ],
)
def test_loopback_and_private_addresses_need_the_setting(address: str, settings: Any) -> None:
    settings.VOLTMX_ALLOW_ADDRESSES = []
    with pytest.raises(RefusedAddress):
        addresses.check_address(address)
    settings.VOLTMX_ALLOW_ADDRESSES = ["loopback", "private"]
    addresses.check_address(address)


def test_a_network_can_be_allowed_alone(settings: Any) -> None:
    settings.VOLTMX_ALLOW_ADDRESSES = ["10.1.0.0/16"]
    addresses.check_address("10.1.2.3")
    with pytest.raises(RefusedAddress):
        addresses.check_address("10.2.2.3")


def test_a_bare_address_of_the_new_kind_can_be_allowed_alone(settings: Any) -> None:
    settings.VOLTMX_ALLOW_ADDRESSES = ["fd00::1"]
    addresses.check_address("fd00::1")
    with pytest.raises(RefusedAddress):
        addresses.check_address("fd00::2")


def test_a_setting_allows_link_local_addresses(settings: Any) -> None:
    settings.VOLTMX_ALLOW_ADDRESSES = ["link-local"]
    addresses.check_address("169.254.169.254")


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:220:1:248:1893:25c8:1946"])
def test_the_open_network_may_be_called(address: str, settings: Any) -> None:
    settings.VOLTMX_ALLOW_ADDRESSES = []
    addresses.check_address(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://x",
        "x",
        "http://",
        "http://user:pw@host",
        "http://host?x=1",
        "http://host#x",
        "http://host:99999",
        "http://ho st",
        "http://host\\@other",
        "http://hö.example",
    ],
)
def test_a_url_that_is_no_servers_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        addresses.check_url(url)


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://[fe80::1]/", "http://2852039166/"])
def test_a_registry_entry_that_leads_to_a_metadata_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        registry.save(Service(name="x", server_url=url))
    assert not Service.objects.exists()


@pytest.mark.django_db
def test_an_address_that_changed_since_it_was_registered_is_not_called(
    foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.VOLTMX_SERVER_URL = foundry.url.replace("127.0.0.1", "rebound.example")
    metadata = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: metadata)
    outcome = job_types.get("voltmx").run(read({"jobServiceInfo": sample()["jobServiceInfo"]}).stored(), Run())
    assert (outcome.status, outcome.retryable) == (Status.FAILED, False)
    assert "169.254.169.254 is a link-local address" in outcome.messages[0]
    assert foundry.connections == 0


@pytest.mark.django_db
def test_the_name_is_resolved_once_for_a_connection(
    foundry: FoundryServer, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.VOLTMX_SERVER_URL = foundry.url.replace("127.0.0.1", "pinned.example")
    loopback = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]
    asked: list[str] = []

    def resolve(host: str, *_args: Any, **_options: Any) -> Any:
        asked.append(host)
        return loopback

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    outcome = job_types.get("voltmx").run(read({"jobServiceInfo": sample()["jobServiceInfo"]}).stored(), Run())
    assert (outcome.status, asked) == (Status.SUCCEEDED, ["pinned.example"])
    assert foundry.foundry.seen[0].headers["host"].startswith("pinned.example:")


@pytest.mark.django_db
def test_a_registered_concurrency_limit_comes_into_force_and_goes() -> None:
    entry = registry.save(Service(name="x", server_url="http://127.0.0.1:9", concurrency_limit=5))
    other = registry.save(Service(name="x", version="2.0", server_url="http://127.0.0.1:9", concurrency_limit=3))
    assert list(Limit.objects.values_list("key", "runs")) == [("voltmx:x", 3)]
    registry.remove(other)
    assert list(Limit.objects.values_list("key", "runs")) == [("voltmx:x", 5)]
    entry.name = "y"
    registry.save(entry)
    assert list(Limit.objects.values_list("key", "runs")) == [("voltmx:y", 5)]
    registry.remove(entry)
    assert not Limit.objects.exists()


@pytest.mark.django_db
def test_a_server_may_have_a_name_without_a_dot() -> None:
    assert registry.save(Service(name="x", server_url="http://foundry:8080/base")).pk


@pytest.mark.django_db
def test_name_and_version_are_registered_once() -> None:
    registry.save(Service(name="x", server_url="http://127.0.0.1:9"))
    with pytest.raises(ValidationError):
        registry.save(Service(name="x", server_url="http://127.0.0.1:10"))
