"""Channels: the one door to Apprise, which knows how to reach mail servers, chats, pagers and webhooks by a URL."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from scheduler import guard
from scheduler.addresses import RefusedAddress, Rules
from scheduler.secret import MASK

if TYPE_CHECKING:
    from apprise.plugins.base import NotifyBase

RULES = Rules("ALERTS_ALLOW_ADDRESSES")
LONGEST_URL = 2000
# Longer is given up, whatever a URL asks for; ``deliveries`` bounds the whole.
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 15.0
# These show something on the desktop of, or write to the log of, the machine that a beat happens to run on.
_LOCAL = frozenset(("blink1", "dbus", "glib", "gnome", "macosx", "syslog", "windows"))


class BadChannel(Exception):
    """A URL that cannot be a channel's, or a message that a channel did not take. The message holds no secret."""


def check(url: str) -> None:
    """Raise ``BadChannel`` unless messages can be sent to ``url`` and its host, if it names one, may be called."""
    _check_address(_plugin(url))


def masked(url: str) -> str:
    """Return the URL with its secrets replaced, for people to see."""
    try:
        plugin = _plugin(url)
        shown: str = plugin.url(privacy=True)  # type: ignore[no-untyped-call]
        shown = shown.partition("?")[0]
        if type(plugin).__module__.rsplit(".", 1)[-1].startswith("custom_"):
            # Of a webhook of anybody's Apprise does not know that its path is what lets messages in.
            scheme, _, rest = shown.partition("://")
            host, _, path = rest.partition("/")
            return f"{scheme}://{host}/{MASK if path else ''}"
        return shown
    except BadChannel:
        return MASK


def send(url: str, *, title: str, body: str) -> None:
    """Send a message. Raises ``BadChannel``. May take as long as its time-outs add up to.

    Connections are checked as they are made, a plugin's to its own service too.
    """
    plugin = _plugin(url)
    _check_address(plugin)
    plugin.socket_connect_timeout = min(plugin.socket_connect_timeout or _CONNECT_SECONDS, _CONNECT_SECONDS)
    plugin.socket_read_timeout = min(plugin.socket_read_timeout or _READ_SECONDS, _READ_SECONDS)
    from apprise import NotifyType

    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        with guard.held_to(RULES):
            sent = plugin.notify(body=body, title=title, notify_type=NotifyType.WARNING)
    except RefusedAddress as refusal:
        raise BadChannel(f"the host may not be called: {refusal}") from None
    except Exception as error:  # plugins raise what they like
        raise BadChannel(f"the channel failed: {type(error).__name__}") from error
    finally:
        logger.removeHandler(heard)
    if not sent:
        raise BadChannel(_without_secrets("; ".join(heard.lines) or "the channel did not take it", url, plugin)[:500])


class _Heard(logging.Handler):
    """Collects what Apprise says in this thread about what went wrong: it returns no reasons."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and len(self.lines) < 5:
            self.lines.append(record.getMessage())


def _plugin(url: str) -> NotifyBase:
    # A large library, which the web process loads only where somebody looks at a channel.
    import apprise

    if len(url) > LONGEST_URL:
        raise BadChannel(f"longer than {LONGEST_URL} characters")
    asset = apprise.AppriseAsset(
        app_id="Jobsite",
        app_desc="Jobsite",
        app_url="",
        async_mode=False,
        secure_logging=True,
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    found = apprise.Apprise.instantiate(url.strip(), asset=asset, suppress_exceptions=True)
    if found is None:
        raise BadChannel("no URL that Apprise can read; see its list of services")
    if type(found).__module__.rsplit(".", 1)[-1] in _LOCAL:
        raise BadChannel("this kind of channel would stay on the machine that a beat happens to run on")
    # A URL may ask for redirects to be followed; they could lead anywhere.
    found.redirects = False
    return found


def _check_address(plugin: NotifyBase) -> None:
    """Refuse hosts that must not be called. A service's own host is its plugin's: only what a URL names is checked."""
    hosts = [plugin.host] if "host" in type(plugin).template_tokens else []
    hosts.append(getattr(plugin, "smtp_host", ""))
    for host in {host for host in hosts if isinstance(host, str) and host}:
        try:
            RULES.resolve(host.strip("[]"), plugin.port or 0)
        except RefusedAddress as refusal:
            raise BadChannel(f"the host may not be called: {refusal}") from None
        except (OSError, UnicodeError):
            # A name that does not resolve is what sending will tell.
            continue


def _without_secrets(text: str, url: str, plugin: NotifyBase) -> str:
    for secret in (url, plugin.password, *(part for part in url.replace("?", "/").split("/") if len(part) >= 8)):
        if isinstance(secret, str) and secret and secret != plugin.host:
            text = text.replace(secret, MASK)
    return text
