"""Reading of environment variables that complains by name."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from jobsite import declared

T = TypeVar("T")


class Environment:
    """Typed reads from a mapping of environment variables.

    Each read names its variable and its default. A value that is not of the type, or is out of bounds, raises
    `ImproperlyConfigured` with the variable's name, what was expected, and never the value itself: it may be a secret.

    Each read also declares the variable for the page of settings: `doc` is its meaning, in Markdown; `production` the
    default in production where that is another; `shown` stands for a default that is made at the start.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.known: set[str] = set()
        # Variables whose values came from files; these win.
        self.from_files: dict[str, str] = {}
        self.production = False
        self.sections: dict[str, str] = {"": ""}
        self.declared: dict[str, declared.Setting] = {}
        self._section = ""

    def section(self, title: str, intro: str = "") -> None:
        """What is read from here on stands under `title`, after `intro`; a title may come again."""
        self._section = title
        self.sections[title] = self.sections.get(title, "") or intro

    def _declare(self, name: str, takes: str, default: T, production: T | None, *, doc: str, shown: str = "") -> T:
        """Note what the variable takes, and give the default that holds here."""
        text = shown or declared.written(name, default)
        if production is not None and production != default and not shown:
            text = f"{text}; {declared.written(name, production)} in production"
        self.known.add(name)
        self.declared[name] = declared.Setting(name=name, section=self._section, takes=takes, default=text, meaning=doc)
        return production if self.production and production is not None else default

    def _text(self, name: str, default: str) -> str:
        """The variable as text; empty counts as not set."""
        self.known.add(name)
        return self.from_files.get(name, "") or self._variables.get(name, "").strip() or default

    def _read(self, name: str, reader: Callable[[], T], expected: str) -> T:
        self.known.add(name)
        try:
            return reader()
        except Exception:
            # Without its cause, which may tell a part of the value.
            raise ImproperlyConfigured(f"{name}: expected {expected}.") from None

    def has(self, name: str) -> bool:
        """Whether the variable is set to something."""
        return bool(self._text(name, ""))

    def text(
        self,
        name: str,
        *,
        default: str,
        production: str | None = None,
        takes: str = "text",
        doc: str = "",
        shown: str = "",
    ) -> str:
        """The variable as text; empty counts as not set."""
        return self._text(name, self._declare(name, takes, default, production, doc=doc, shown=shown))

    def content(self, name: str, *, doc: str = "") -> str:
        """What is in the file that the variable names; empty where it names none. An empty file is refused."""
        path = self.text(name, default="", takes="path of a file", doc=doc)
        if not path:
            return ""
        found = self._read(name, lambda: Path(path).read_text().strip(), "a file that can be read")
        if not found:
            raise ImproperlyConfigured(f"{name}: the file is empty.")
        return found

    def secrets(self, *names: str) -> None:
        """Take each of the variables from a file where the variable with `_FILE` behind its name names one."""
        for name in names:
            found = self.content(f"{name}_FILE", doc=f"Holds `{name}`.")
            if found:
                self.from_files[name] = found

    def password(self, name: str, *, file: str) -> None:
        """Put what is in the file that the variable `file` names into the URL of `name`, as its password."""
        found = self.content(file, doc=f"Holds the password alone, as it is, for a `{name}` without one.")
        if not found:
            return
        parts = self._read(name, lambda: urlsplit(self._text(name, "")), "a URL")
        if not parts.netloc:
            raise ImproperlyConfigured(f"{file}: goes with a {name} that names a host or a user.")
        login, _at, host = parts.netloc.rpartition("@")
        login = f"{login.partition(':')[0]}:{quote(found, safe='')}"
        self.from_files[name] = parts._replace(netloc=f"{login}@{host}").geturl()

    def mapping(self, name: str, *, options: Sequence[str], doc: str = "") -> dict[str, str]:
        """Words in front of one of `options` each, `one=option,two=option`; a word may hold equals signs itself."""
        expected = f"word=option pairs separated by commas, each option one of {', '.join(options)}"
        takes = f"`word=option` pairs separated by commas; options are {declared.listed(options, 'and')}"
        self._declare(name, takes, "", None, doc=doc)
        pairs = [word.rpartition("=") for word in self._words(name, ())]
        if any(not key.strip() or value.strip() not in options for key, _equals, value in pairs):
            raise ImproperlyConfigured(f"{name}: expected {expected}.")
        return {key.strip(): value.strip() for key, _equals, value in pairs}

    def choice(
        self, name: str, *, default: str, options: Sequence[str], production: str | None = None, doc: str = ""
    ) -> str:
        """One of `options`, case ignored."""
        value = self._text(name, self._declare(name, declared.listed(options), default, production, doc=doc)).lower()
        if value not in options:
            raise ImproperlyConfigured(f"{name}: expected one of {', '.join(options)}.")
        return value

    def matching(self, name: str, *, default: str, pattern: str, expected: str, doc: str = "") -> str:
        """Text that matches `pattern` as a whole; `expected` says in words what that is."""
        value = self._text(name, self._declare(name, expected, default, None, doc=doc))
        if not re.fullmatch(pattern, value):
            raise ImproperlyConfigured(f"{name}: expected {expected}.")
        return value

    def flag(self, name: str, *, default: bool, production: bool | None = None, doc: str = "") -> bool:
        """True for 1, true, yes, on; False for 0, false, no, off."""
        here = self._declare(name, "`1` or `0`", default, production, doc=doc)
        value = self._text(name, "on" if here else "off").lower()
        if value in {"1", "true", "yes", "on"}:
            return True
        if value in {"0", "false", "no", "off"}:
            return False
        raise ImproperlyConfigured(f"{name}: expected 1 or 0.")

    def integer(self, name: str, *, default: int, low: int, high: int, doc: str = "") -> int:
        """A whole number from `low` to `high`."""
        return self._integer(
            name, self._declare(name, declared.whole_number(name, low, high), default, None, doc=doc), low, high
        )

    def _integer(self, name: str, default: int, low: int, high: int) -> int:
        expected = f"a whole number from {low} to {high}"
        value = self._read(name, lambda: int(self._text(name, str(default))), expected)
        if not low <= value <= high:
            raise ImproperlyConfigured(f"{name}: expected {expected}.")
        return value

    def optional_integer(self, name: str, *, low: int, high: int, doc: str = "", shown: str = "") -> int | None:
        """A whole number from `low` to `high`, or None where the variable is not set."""
        self._declare(name, declared.whole_number(name, low, high), "", None, doc=doc, shown=shown)
        return self._integer(name, low, low, high) if self.has(name) else None

    def rate(self, name: str, *, default: str, doc: str = "") -> tuple[int, int]:
        """So many in so many seconds, written `600/60`; `0` is (0, 1)."""
        value = self._text(name, self._declare(name, "number/seconds, or `0`", default, None, doc=doc))
        expected = "a number, a slash and seconds up to 86400, such as 600/60, or 0"
        count, _slash, seconds = ("0/1" if value == "0" else value).partition("/")
        found = self._read(name, lambda: (int(count), int(seconds)), expected)
        if not (0 <= found[0] <= 10**9 and 1 <= found[1] <= 86400):
            raise ImproperlyConfigured(f"{name}: expected {expected}.")
        return found

    def words(
        self,
        name: str,
        *,
        default: Sequence[str],
        production: Sequence[str] | None = None,
        doc: str = "",
        shown: str = "",
    ) -> list[str]:
        """A list of words separated by commas; in a file, by lines too."""
        takes = "words separated by commas"
        return self._words(name, self._declare(name, takes, default, production, doc=doc, shown=shown))

    def _words(self, name: str, default: Sequence[str]) -> list[str]:
        raw = self._text(name, ",".join(default))
        return [word.strip() for word in re.split("[,\n]", raw) if word.strip()]

    def zone(self, name: str, *, default: str, doc: str = "") -> str:
        """An IANA time zone's name that exists."""
        value = self._text(name, self._declare(name, "an IANA time zone", default, None, doc=doc))
        self._read(name, lambda: ZoneInfo(value), "an IANA time zone such as Europe/Berlin")
        return value

    def url(self, name: str, *, default: str, schemes: Sequence[str], doc: str = "", shown: str = "") -> str:
        """A URL with one of `schemes` and, unless it names a socket, a host."""
        takes = f"URL, {declared.listed([f'{scheme}://' for scheme in schemes])}"
        value = self._text(name, self._declare(name, takes, default, None, doc=doc, shown=shown))
        expected = f"a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        parts = self._read(name, lambda: urlsplit(value), expected)
        usable = self._read(name, lambda: parts.port is None or parts.port > 0, expected)
        if parts.scheme not in schemes or not usable or not (parts.hostname or parts.path.strip("/")):
            raise ImproperlyConfigured(f"{name}: expected {expected}.")
        return value

    def optional_url(self, name: str, *, schemes: Sequence[str], doc: str = "") -> str:
        """A URL with one of `schemes`, or empty where the variable is not set."""
        if self.has(name):
            return self.url(name, default="", schemes=schemes, doc=doc)
        self._declare(name, f"URL, {declared.listed([f'{scheme}://' for scheme in schemes])}", "", None, doc=doc)
        return ""

    def broker(
        self, name: str, *, default: str, ca_file: str, checked: bool, doc: str = "", shown: str = ""
    ) -> tuple[str, dict[str, object]]:
        """A Redis URL. One over TLS says itself, to all that connect, that the server's certificate is to be checked.

        `ca_file` names the variable with the file of the authorities to check it against; the system's, where it is not
        set. `checked`: whether a URL that asks for no check is refused. Beside the URL, its options of TLS: Celery
        reads the variable by itself, where they are not in it.
        """
        value = self.url(name, default=default, schemes=("redis", "rediss", "redis+socket"), doc=doc, shown=shown)
        file = self._text(ca_file, "")
        parts = urlsplit(value)
        if parts.scheme != "rediss":
            if file:
                raise ImproperlyConfigured(f"{ca_file}: goes with a {name} that starts with rediss://.")
            return value, {}
        if file and not Path(file).is_file():
            raise ImproperlyConfigured(f"{ca_file}: there is no such file.")
        query = dict(parse_qsl(parts.query))
        # Left out, kombu would check nothing and redis-py everything.
        query.setdefault("ssl_cert_reqs", "required")
        if file:
            query.setdefault("ssl_ca_certs", file)
        if query["ssl_cert_reqs"] not in ("required", "optional", "none"):
            raise ImproperlyConfigured(f"{name}: expected ssl_cert_reqs to be required.")
        if checked and (
            query["ssl_cert_reqs"] != "required" or query.get("ssl_check_hostname", "true").lower() != "true"
        ):
            raise ImproperlyConfigured(f"{name}: production checks the certificate of Redis and the name in it.")
        options: dict[str, object] = {key: text for key, text in query.items() if key.startswith("ssl_")}
        if "ssl_check_hostname" in options:
            options["ssl_check_hostname"] = query["ssl_check_hostname"].lower() == "true"
        return parts._replace(query=urlencode(query)).geturl(), options

    def addresses(self, name: str, *, schemes: Sequence[str], doc: str = "") -> dict[str, str]:
        """URLs by the names in front of them: `one=http://…,two=https://…`."""
        expected = f"name=url pairs separated by commas, each URL with {' or '.join(schemes)}"
        takes = f"`name=url` pairs separated by commas, with {' or '.join(schemes)}"
        self._declare(name, takes, "", None, doc=doc)
        pairs = [word.partition("=") for word in self._words(name, ())]
        for key, _equals, address in pairs:
            parts = self._read(name, partial(urlsplit, address), expected)
            if not key.strip() or parts.scheme not in schemes or not parts.hostname:
                raise ImproperlyConfigured(f"{name}: expected {expected}.")
        return {key.strip(): address.strip() for key, _equals, address in pairs}

    def networks(
        self,
        name: str,
        *,
        default: Sequence[str],
        words: Sequence[str],
        production: Sequence[str] | None = None,
        doc: str = "",
    ) -> list[str]:
        """A list of `words` and of networks such as 10.1.0.0/16, separated by commas."""
        takes = f"{', '.join(f'`{word}`' for word in words)} or networks such as `10.1.0.0/16`, separated by commas"
        values = self._words(name, self._declare(name, takes, default, production, doc=doc))
        expected = f"{', '.join(words)} or networks such as 10.1.0.0/16, separated by commas"
        for value in values:
            if value not in words:
                self._read(name, partial(ip_network, value), expected)
        return values

    def fernet_keys(
        self,
        name: str,
        *,
        default: Sequence[str],
        production: Sequence[str] | None = None,
        doc: str = "",
        shown: str = "",
    ) -> list[str]:
        """A list of Fernet keys: 32 bytes each, in URL-safe base64."""
        takes = "Fernet keys separated by commas"
        keys = self._words(name, self._declare(name, takes, default, production, doc=doc, shown=shown))
        for key in keys:
            self._read(name, partial(Fernet, key), "Fernet keys (32 bytes in URL-safe base64) separated by commas")
        return keys

    def database(self, name: str, *, default: str, doc: str = "", shown: str = "") -> dict[str, object]:
        """A PostgreSQL database as one entry of Django's DATABASES."""
        value = self.url(name, default=default, schemes=("postgresql", "postgres"), doc=doc, shown=shown)
        expected = "postgresql://user:password@host:port/name"
        config: dict[str, object] = self._read(name, lambda: dict(environ.Env.db_url_config(value)), expected)
        if not config.get("NAME"):
            raise ImproperlyConfigured(f"{name}: expected {expected}.")
        return config
