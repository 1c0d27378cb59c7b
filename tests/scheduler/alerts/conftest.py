"""A server that takes webhooks and pings, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from scheduler.alerts.watched import watched
from tests.http_server import PatientServer
from tests.waiting import PATIENCE


@dataclass
class Post:
    """What a request said."""

    method: str
    path: str
    body: Any


@dataclass
class Receiver:
    """Answers with ``status`` and, if set, ``location``; holds each request until ``open`` is set."""

    address: str
    status: int = 200
    location: str = ""
    seen: list[Post] = field(default_factory=list)
    entered: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def webhook(self) -> str:
        """The Apprise URL that leads here."""
        return f"json://user:pa55word@{self.address}/hook"

    @property
    def url(self) -> str:
        return f"http://{self.address}/ping/5ecret"

    @property
    def titles(self) -> list[str]:
        """The titles of the alerts that came, as they came."""
        return [post.body["title"] for post in self.seen]

    @property
    def paths(self) -> list[str]:
        return [post.path for post in self.seen]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802 - the library's name
            self._answer()

        def do_GET(self) -> None:  # noqa: N802
            self._answer()

        def _answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            here.entered.set()
            here.open.wait(2 * PATIENCE)
            here.seen.append(Post(self.command, self.path, json.loads(raw) if raw else None))
            self.send_response(here.status)
            if here.location:
                self.send_header("Location", here.location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = PatientServer(("127.0.0.1", 0), Handler)
    here = Receiver(f"127.0.0.1:{server.server_address[1]}")
    here.open.set()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield here
    here.open.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def rules_read_anew() -> Iterator[None]:
    """No test sees what another's rules said."""
    watched.forget()
    yield
    watched.forget()
