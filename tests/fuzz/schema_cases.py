"""Requests that schemathesis makes of the OpenAPI document: such as fit it, such as do not, and those at its edges."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

import requests
import schemathesis
from hypothesis.strategies import SearchStrategy
from requests.structures import CaseInsensitiveDict
from schemathesis import Case, GenerationMode
from schemathesis.config import GenerationConfig
from schemathesis.core.result import Err

from tests.fuzz.people import Known
from tests.fuzz.verdict import Operation
from tests.fuzz.wire import Sent

# Of the parameters of a path so many are of something that is there.
_THERE = 0.75
# Credentials are the fuzzer's own affair, lengths and names of hosts the connection's.
_OWN = {"authorization", "x-voltmx-authorization", "x-kony-authorization", "cookie", "content-length", "host"}
_BASE = "http://127.0.0.1"


class Cases:
    """Strategies of requests by operation."""

    def __init__(self, document: dict[str, Any], *, known: Known) -> None:
        self._schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config())
        self._known = known
        self._operations: dict[tuple[str, str], Any] = {}
        for result in self._schema.get_all_operations():
            if isinstance(result, Err):
                raise result.err()
            operation = result.ok()
            self._operations[operation.method.upper(), operation.path] = operation
        self._strategies: dict[tuple[str, str, GenerationMode], SearchStrategy[Case[Any]]] = {}

    def strategy(self, operation: Operation, *, fitting: bool) -> SearchStrategy[Case[Any]]:
        """Return what makes requests of an operation."""
        mode = GenerationMode.POSITIVE if fitting else GenerationMode.NEGATIVE
        key = (operation.method, operation.path, mode)
        if key not in self._strategies:
            self._strategies[key] = self._operations[key[:2]].as_strategy(generation_mode=mode)
        return self._strategies[key]

    def edges(self, operation: Operation) -> Iterator[Case[Any]]:
        """Yield requests at the edges of what is described: least and longest values, members missing, wrong types."""
        found = self._operations[operation.method, operation.path]
        yield from self._schema.iter_coverage_cases(
            found, generation_modes=list(GenerationMode), generation_config=GenerationConfig()
        )

    def sent(self, case: Case[Any], operation: Operation, chance: random.Random) -> Sent | None:
        """Return a case as a request; None where no client could send it."""
        try:
            fields = case.as_transport_kwargs(base_url=_BASE)
            prepared = requests.Request(
                fields["method"],
                fields["url"],
                params=fields.get("params"),
                data=fields.get("data"),
                json=fields.get("json"),
                files=fields.get("files"),
            ).prepare()
        except (schemathesis.errors.SchemathesisError, requests.RequestException, ValueError, TypeError):
            return None
        parts = urlsplit(prepared.url or "")
        given = CaseInsensitiveDict(prepared.headers)
        given.update(fields.get("headers") or {})
        if prepared.headers.get("Content-Type", "").startswith("multipart/"):
            # The boundary is the prepared body's.
            given["Content-Type"] = prepared.headers["Content-Type"]
        headers = tuple((name, _text(value)) for name, value in given.items() if name.lower() not in _OWN)
        if any("\r" in value or "\n" in value or "\0" in value for _, value in headers):
            return None
        path = self._path(operation, case.path_parameters or {}, chance) or quote(
            parts.path, safe="/%:@!$&'()*+,;=~-._"
        )
        body = prepared.body or b""
        sent = Sent(
            method=operation.method if case.method.upper() == operation.method else case.method.upper(),
            target=path + (f"?{parts.query}" if parts.query else ""),
            headers=headers,
            body=body.encode() if isinstance(body, str) else bytes(body),
            label=operation.id,
        )
        return sent if sent.target.isascii() else replace(sent, target=quote(sent.target, safe="/%?&=+:;,@"))

    def _path(self, operation: Operation, given: dict[str, Any], chance: random.Random) -> str | None:
        """Return the path with something that is there in it; None where the case's own is to be taken."""
        if "{" not in operation.path or chance.random() > _THERE:
            return None
        path = operation.path
        for name in [part.partition("}")[0] for part in operation.path.split("{")[1:]]:
            value = self._known.parameter(operation.id, name, chance) or given.get(name)
            if value is None or value == "":
                return None
            path = path.replace(f"{{{name}}}", quote(str(value), safe="", errors="replace"))
        return path


def _text(value: Any) -> str:
    return (
        value.decode("latin-1") if isinstance(value, bytes) else str(value).encode("utf-8", "replace").decode("latin-1")
    )
