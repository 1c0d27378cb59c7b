"""Holds requests and answers to the OpenAPI document: what it says of them must be true."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_METHODS = ("get", "post", "put", "delete", "patch")
_FORMATS = FormatChecker(formats=("uuid",))


@cache
def document() -> dict[str, Any]:
    """The whole document, as it is served."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return json.loads(json.dumps(made))  # type: ignore[no-any-return]


@cache
def _registry() -> Registry[Any]:
    made: Registry[Any] = Registry().with_resource("urn:openapi", Resource.from_contents(document(), DRAFT202012))
    return made


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Paths as regular expressions, those with the fewest parameters first."""
    paths = sorted(document()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile("".join(_part(part) for part in re.split(r"(\{\w+\})", path)) + "/?"), path) for path in paths]


def _part(part: str) -> str:
    return "[^/]+" if part.startswith("{") else re.escape(part)


def problems(schema: Mapping[str, Any], value: Any) -> list[str]:
    """What a JSON Schema of the document says against a value."""
    rooted = json.loads(json.dumps(schema).replace('"#/', '"urn:openapi#/'))
    validator = Draft202012Validator(rooted, registry=_registry(), format_checker=_FORMATS)
    return [f"{error.json_path}: {error.message}"[:300] for error in validator.iter_errors(value)]


def operations(*tags: str) -> set[str]:
    """All operations with one of the tags, by id."""
    return {
        operation["operationId"]
        for item in document()["paths"].values()
        for method, operation in item.items()
        if method in _METHODS and set(operation["tags"]) & set(tags)
    }


def operation_of(method: str, address: str) -> dict[str, Any]:
    """The operation that an address and a method stand for."""
    path = urlsplit(address).path
    for pattern, template in _templates():
        found = document()["paths"][template].get(method.lower())
        if pattern.fullmatch(path) and found is not None:
            return found  # type: ignore[no-any-return]
    raise AssertionError(f"{method} {path} is not described")


def check_answer(
    method: str, address: str, status: int, headers: Mapping[str, str], body: bytes, *, accept: bool = True
) -> str:
    """Hold an answer to what is said of it and return the operation's id. Raises ``AssertionError``."""
    operation = operation_of(method, address)
    said = operation["responses"].get(str(status))
    assert said is not None, f"{method} {address}: {status} is not described: {body[:300]!r}"
    if "$ref" in said:
        said = document()["components"]["responses"][said["$ref"].rpartition("/")[2]]
    for name, header in said.get("headers", {}).items():
        value = headers.get(name)
        assert value is None or problems(header["schema"], value) == [], f"{name}: {value}"
    kind = headers.get("Content-Type", "")
    if not body:
        assert "content" not in said or (status == 201 and not accept), f"{method} {address}: an empty {status}"
        return str(operation["operationId"])
    described = said["content"].get(kind) or said["content"].get(kind.partition(";")[0])
    assert described is not None, f"{method} {address}: {kind} is not described for {status}"
    found = problems(described["schema"], _value(kind, body))
    assert found == [], f"{method} {address} {status}: {found}"
    return str(operation["operationId"])


def check_body(method: str, address: str, kind: str, value: Any) -> None:
    """Hold a request's body, read already, to what is said of it. Raises ``AssertionError``."""
    said = operation_of(method, address)["requestBody"]["content"]
    assert kind in said, f"{method} {address}: a body of {kind} is not described"
    found = problems(said[kind]["schema"], value)
    assert found == [], f"{method} {address}: {found}"


def _value(kind: str, body: bytes) -> Any:
    if kind.endswith("json"):
        return json.loads(body)
    if kind.startswith("text/csv"):
        assert list(csv.reader(io.StringIO(body.decode())))
        return body.decode()
    return body.decode("latin-1")
