"""What may be answered: nothing above 499, nothing late, nothing that the OpenAPI document does not describe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from tests.fuzz.wire import Answer, Sent

METHODS = ("get", "post", "put", "delete", "patch")
# Where nothing else is described, a refusal has its surface's form: path, and what may be answered there.
_FORMS = (
    ("/admin/api/jobs", ("VoltmxFail",)),
    ("/authService/accounts", ("VoltmxAuthError",)),
    ("/service/zementis", ("ZementisErrors", "PlatformError")),
    ("/inventory", ("PlatformError",)),
    ("/measurement", ("PlatformError",)),
    ("/platform", ("PlatformError",)),
    ("/tenant", ("PlatformError",)),
    ("/user", ("PlatformError",)),
)
_ACCEPTED_WITHOUT_BODY = (201, 204, 304)
# What the server takes for a request line; see jobsite/web/config.py.
_LONGEST_LINE = 8190


@dataclass(frozen=True)
class Operation:
    """One described operation."""

    method: str
    path: str
    said: dict[str, Any]

    @property
    def id(self) -> str:
        """Its id in the document."""
        return str(self.said["operationId"])

    @property
    def surface(self) -> str:
        """Whose it is: voltmx, zementis or core."""
        return surface_of(self.path)


def surface_of(path: str) -> str:
    """Return whose a path is: voltmx, zementis, core or admin."""
    if path.startswith(("/admin/api/", "/authService/")):
        return "voltmx"
    if path.startswith(("/api/", "/metrics", "/healthz", "/readyz")):
        return "core"
    return "admin" if path.startswith("/admin") else "zementis"


class Contract:
    """The document, ready to be asked."""

    def __init__(self, document: dict[str, Any], *, patience: float) -> None:
        self.document, self._patience = document, patience
        self.operations = [
            Operation(method.upper(), path, said)
            for path, item in document["paths"].items()
            for method, said in item.items()
            if method in METHODS
        ]
        paths = sorted(document["paths"], key=lambda path: (path.count("{"), path))
        self._patterns = [(re.compile("".join(map(_part, re.split(r"(\{\w+\})", p))) + "/?", re.S), p) for p in paths]
        self._by_path = {(each.method, each.path): each for each in self.operations}
        self._validators: dict[str, Any] = {}

    def find(self, method: str, target: str) -> Operation | None:
        """Return the operation that a request line names, decoded once as the server does."""
        path = _path(target)
        template = next((template for pattern, template in self._patterns if pattern.fullmatch(path)), "")
        return self._by_path.get(("GET" if method == "HEAD" else method, template))

    def problems(self, sent: Sent, answer: Answer) -> Iterator[str]:
        """Yield what is wrong with an answer."""
        if answer.status >= 500:
            yield f"status {answer.status}"
        if answer.seconds > self._patience:
            yield f"took {answer.seconds:.1f} s"
        operation = self.find(sent.method, sent.target)
        if answer.status == 414 and len(f"{sent.method} {sent.target} HTTP/1.1") > _LONGEST_LINE:
            yield from self._elsewhere(sent, answer)
        elif sent.odd:
            yield from self._odd(operation, sent, answer)
        elif operation is not None:
            yield from self._described(operation, sent, answer)
        elif sent.method != "HEAD":
            yield from self._elsewhere(sent, answer)

    def _odd(self, operation: Operation | None, sent: Sent, answer: Answer) -> Iterator[str]:
        """Yield what is wrong with the answer to what the server may refuse by itself, or pass on."""
        if answer.status < 400 and operation is not None:
            yield from self._described(operation, sent, answer)
        elif answer.status >= 400 and sent.method != "HEAD" and _is_plain(sent):
            yield from self._elsewhere(sent, answer)

    def _described(self, operation: Operation, sent: Sent, answer: Answer) -> Iterator[str]:
        said = operation.said["responses"].get(str(answer.status))
        where = f"{operation.method} {operation.path}"
        if said is None:
            yield f"{where}: {answer.status} is not described"
            return
        said = self._resolved(said)
        if not answer.body:
            silent = sent.method == "HEAD" or "content" not in said
            if not silent and not (answer.status in _ACCEPTED_WITHOUT_BODY and sent.head("Accept") is None):
                yield f"{where}: an empty {answer.status}"
            return
        kind = answer.headers.get("content-type", "")
        for offered, described in said.get("content", {}).items():
            if offered in (kind, kind.partition(";")[0]):
                key = f"{operation.id} {answer.status} {offered}"
                yield from (
                    f"{where} {answer.status}: {e}" for e in self._invalid(key, described["schema"], kind, answer)
                )
                return
        yield f"{where}: {kind or 'no content type'} is not described for {answer.status}"

    def _elsewhere(self, sent: Sent, answer: Answer) -> Iterator[str]:
        path = _path(sent.target)
        for prefix, forms in _FORMS:
            if path == prefix or path.startswith(f"{prefix}/"):
                if not 400 <= answer.status < 500:
                    yield f"{sent.method} of what is not described: {answer.status}"
                schema = {"anyOf": [{"$ref": f"#/components/schemas/{form}"} for form in forms]}
                kind = answer.headers.get("content-type", "")
                if not kind.startswith("application/json"):
                    yield f"below {prefix}: {answer.status} as {kind or 'no content type'}"
                else:
                    yield from (f"below {prefix}: {e}" for e in self._invalid(prefix, schema, kind, answer))
                return

    def _resolved(self, said: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in said:
            return said
        found: dict[str, Any] = self.document["components"]["responses"][said["$ref"].rpartition("/")[2]]
        return found

    def _invalid(self, key: str, schema: dict[str, Any], kind: str, answer: Answer) -> Iterator[str]:
        if "json" not in kind:
            return
        try:
            value = json.loads(answer.body, parse_constant=_no_constant)
        except ValueError as error:
            yield f"no JSON: {error}"
            return
        validator = self._validators.get(key)
        if validator is None:
            whole = {**schema, "components": {"schemas": self.document["components"]["schemas"]}}
            validator = self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        if not validator.is_valid(value):
            for wrong in list(validator.iter_errors(value))[:2]:
                yield f"{'/'.join(map(str, wrong.instance_path))}: {wrong.message}"[:300]


def _part(part: str) -> str:
    return "[^/]+" if part.startswith("{") else re.escape(part)


def _path(target: str) -> str:
    return unquote(target.partition("?")[0].partition("#")[0], errors="replace")


def _is_plain(sent: Sent) -> bool:
    """Whether the server finds the same path in the request line as we do."""
    return sent.target.startswith("/") and not re.search(r"[\s\x00-\x1f\x7f-\x9f]", sent.method + sent.target)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
