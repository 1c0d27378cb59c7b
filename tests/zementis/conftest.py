"""Fixtures of the Zementis surface."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.test import Client

from tests.zementis import factories
from zementis import authentication, inference
from zementis.devices import blocks, layouts


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """Processes remember what is committed; a test's rows are rolled back under them."""
    layouts.forget()
    blocks.forget()
    authentication.verified.clear()
    yield
    inference.cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _inspected_once() -> Iterator[None]:
    """An inspection takes seconds and says the same of the same file each time; ``inference/`` inspects for itself."""
    real = inference.inspect
    found: dict[tuple[bytes, str], inference.ModelDescription] = {}

    def inspect(path_or_bytes: Any, *, format: Any, limits: Any = None) -> inference.ModelDescription:
        content = path_or_bytes if isinstance(path_or_bytes, bytes) else Path(path_or_bytes).read_bytes()
        if (content, format) not in found:
            found[content, format] = real(content, format=format, limits=limits)
        return found[content, format]

    patch = pytest.MonkeyPatch()
    patch.setattr(inference, "inspect", inspect)
    yield
    patch.undo()


class Api:
    """A client of the surface that logs in with every request."""

    def __init__(self, user: User, password: str = factories.PASSWORD) -> None:
        self.user = user
        self._client = Client(raise_request_exception=False)
        self.login = basic(user.username, password)

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        headers = {"Authorization": self.login, **options.pop("headers", {})}
        if body is not None:
            options.setdefault("content_type", "application/json")
            options["data"] = body
        response: HttpResponseBase = getattr(self._client, method.lower())(path, headers=headers, **options)
        return response

    def get(self, path: str, query: dict[str, Any] | None = None, **options: Any) -> Any:
        return self("GET", path, **({"query_params": query} if query else {}), **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self("PUT", path, body, **options)

    def delete(self, path: str, body: Any = None, **options: Any) -> Any:
        return self("DELETE", path, body, **options)


def basic(name: str, password: str) -> str:
    """The header of Basic authentication."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def content(response: Any) -> bytes:
    """A response's body, streamed or not."""
    return b"".join(response.streaming_content) if response.streaming else response.content


def answer(response: Any) -> tuple[int, Any]:
    """Status and JSON of a response."""
    import json

    body = content(response)
    return response.status_code, json.loads(body) if body else None


@pytest.fixture
def api(db: None) -> Api:
    """The administrator's client."""
    return Api(factories.a_user(superuser=True))
