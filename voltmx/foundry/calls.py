"""Which HTTP request calls a service: method, URL, headers, body. Pure.

* Integration and orchestration: ``POST {server}/services/{service}/{operation}``.
* Objects, standard verbs: ``{server}/services/data/v1/{service}/objects/{object}`` as GET, POST, PUT, PATCH, DELETE;
  a custom verb: ``POST {server}/services/data/v1/{service}/operations/{object}/{verb}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from scheduler.strict_json import ANSWERS, dumps, read_storable
from voltmx.arguments import Arguments, ServiceType
from voltmx.secret import MASK, Secret, is_credential

VERSION_HEADER = "X-VoltMX-API-Version"
TOKEN_HEADER = "X-VoltMX-Authorization"  # noqa: S105 - a header's name
_VERBS = {"get": "GET", "create": "POST", "update": "PUT", "partialUpdate": "PATCH", "delete": "DELETE"}
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One HTTP request as it will be sent, and as it may be shown. ``body`` is None where there is none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = None
    shown_url: str = ""
    shown_body: Any = None

    def with_token(self, token: str) -> Call:
        """Return the call with a login's claims token."""
        others = {name: value for name, value in self.headers.items() if name.lower() != TOKEN_HEADER.lower()}
        return replace(self, headers={**others, TOKEN_HEADER: token})

    def shown(self) -> dict[str, Any]:
        """Return the call for history: credentials replaced."""
        headers = {name: MASK if is_credential(name) else value for name, value in self.headers.items()}
        shown = {"method": self.method, "url": self.shown_url or self.url, "headers": headers}
        return {**shown, "body": self.shown_body}


def build(arguments: Arguments, server_url: str) -> Call:
    """Return the call of a job. Raises ``UnreadableSecret`` where a stored credential cannot be decrypted."""
    method, path = _target(arguments)
    fields = read_storable(arguments.post_data or "{}", bounds=ANSWERS)
    parameters: list[tuple[str, str, bool]] = [
        (name, value.reveal() if isinstance(value, Secret) else _text(value), isinstance(value, Secret))
        for name, value in arguments.query_params.items()
    ]
    headers = {VERSION_HEADER: arguments.version, "Accept": "application/json"}
    for name, value in arguments.headers.items():
        _set(headers, name, (value.reveal() if isinstance(value, Secret) else value).strip())
    body = None
    if method == "GET":
        # A body of a GET is read by nobody; what it would say goes where a GET can say it.
        if isinstance(fields, dict):
            parameters += [(name, _text(value), is_credential(name)) for name, value in fields.items()]
    elif arguments.sends_json:
        body = dumps(fields).encode()
        _default(headers, "Content-Type", "application/json")
    else:
        body = urlencode([(name, _text(value)) for name, value in fields.items()]).encode()
        _default(headers, "Content-Type", _FORM)
    url = f"{server_url}{path}"
    return Call(
        method=method,
        url=_with_query(url, [(name, value) for name, value, _hidden in parameters]),
        headers=headers,
        body=body,
        shown_url=_with_query(url, [(name, MASK if hidden else value) for name, value, hidden in parameters], safe="*"),
        shown_body=None if body is None else masked(fields),
    )


def masked(value: Any) -> Any:
    """Return JSON with the values of members that are credentials by their name replaced."""
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(item, str) and item and is_credential(name) else masked(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def _target(arguments: Arguments) -> tuple[str, str]:
    service, operation = arguments.service_name, arguments.operation_name
    if arguments.service_type is not ServiceType.OBJECT:
        return "POST", f"/services/{service}/{operation}"
    if operation in _VERBS:
        return _VERBS[operation], f"/services/data/v1/{service}/objects/{arguments.object_name}"
    return "POST", f"/services/data/v1/{service}/operations/{arguments.object_name}/{operation}"


def _text(value: Any) -> str:
    """Return a value as a form field: text as it is, everything else as JSON, null as nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else dumps(value)


def _with_query(url: str, parameters: list[tuple[str, str]], *, safe: str = "") -> str:
    return f"{url}?{urlencode(parameters, safe=safe)}" if parameters else url


def _set(headers: dict[str, str], name: str, value: str) -> None:
    """Set a header in place of the same one in any letter case."""
    for known in [known for known in headers if known.lower() == name.lower()]:
        del headers[known]
    headers[name] = value


def _default(headers: dict[str, str], name: str, value: str) -> None:
    if not any(known.lower() == name.lower() for known in headers):
        headers[name] = value
