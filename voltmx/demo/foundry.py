"""A Foundry runtime in miniature: app logins with tokens that expire, services of all three types, and faults.

It answers as the vendor's runtime does (``opstatus``, ``errmsg``, HTTP 401 for a bad token) and keeps nothing but its
settings: tokens are signed, so that any number of processes can serve it. The demo serves it through Django
(``views``), tests through a server of its own (``server``), which also has the faults: slow, broken, huge, reset.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

Json = dict[str, Any]

_CITIES = ("Utrecht", "Hyderabad", "Austin", "Nairobi", "Wellington")
_SKIES = ("clear", "few clouds", "overcast", "light rain", "snow", "thunderstorm")
_ORDERS = [
    {"id": 1, "item": "pump", "quantity": 4, "status": "open"},
    {"id": 2, "item": "valve", "quantity": 40, "status": "shipped"},
]


@dataclass(frozen=True)
class Request:
    """One request as a server read it; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def fields(self) -> Json:
        """Return what a client sent: JSON or form fields, and the query."""
        if self.headers.get("content-type", "").startswith("application/json"):
            try:
                value = json.loads(self.body or b"{}")
            except ValueError:
                value = {}
            return {**self.query, **value} if isinstance(value, dict) else dict(self.query)
        return {**self.query, **dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))}


@dataclass(frozen=True)
class Reply:
    """An answer; ``pieces`` instead of ``body`` come one by one, ``reset`` breaks the connection instead."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Iterator[bytes] | None = None
    reset: bool = False


@dataclass(frozen=True)
class App:
    """A published app: its secret, and its users' passwords by identity provider."""

    secret: str
    users: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def ok(**members: Any) -> Reply:
    """Return a service's success."""
    return _json(200, {"opstatus": 0, **members, "httpStatusCode": 200})


def failed(opstatus: int, errmsg: str) -> Reply:
    """Return a service's failure, which comes with HTTP 200."""
    return _json(200, {"opstatus": opstatus, "errmsg": errmsg, "httpStatusCode": 200})


def _json(status: int, value: Any) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


class Foundry:
    """The runtime. ``faults`` adds the services that misbehave; ``held`` is what their slow ones wait for."""

    def __init__(
        self,
        *,
        secret: str = "demo",  # noqa: S107 - signs the fake's tokens only
        apps: Mapping[str, App] | None = None,
        token_seconds: float = 600,
        faults: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.apps = dict(apps or {})
        self.token_seconds = token_seconds
        self.held = threading.Event()
        self.seen: list[Request] = []
        self._faults = faults
        self._secret = secret.encode()
        self._clock = clock
        self._generation = 0

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request."""
        if self._faults:
            self.seen.append(request)
        parts = [part for part in request.path.split("/") if part]
        match parts:
            case ["authService", "accounts", "login"] if self._faults:
                return self._log_in(request, "accounts")
            case ["authService", app_key, "login"]:
                return self._log_in(request, app_key)
            case ["services", "data", "v1", service, "objects", name]:
                return self._object(request, service, name)
            case ["services", "data", "v1", service, "operations", name, verb]:
                return self._guarded(request, service, lambda: ok(object=name, verb=verb, received=request.fields()))
            case ["services", "faults", fault] if self._faults:
                return self._fault(request, fault)
            case ["services", service, operation]:
                return self._service(request, service, operation)
            case _:
                return _json(404, {"opstatus": 404, "errmsg": f"no such resource: {request.path}"})

    def revoke_tokens(self) -> None:
        """Make every token given out so far worthless, before its time."""
        self._generation += 1

    def logins(self) -> list[Request]:
        """Return the login requests seen."""
        return [request for request in self.seen if request.path.endswith("/login")]

    # -- Logins ------------------------------------------------------------------------------------------------------

    def _log_in(self, request: Request, app_key: str) -> Reply:
        app = self.apps.get(app_key)
        given = request.headers.get("x-voltmx-app-secret", "")
        is_account = app_key == "accounts"
        if app is None or (not is_account and not _same(given, app.secret)):
            return self._refused("Invalid App Credentials")
        provider = request.query.get("provider", "")
        user = "anonymous"
        if provider or is_account:
            fields = request.fields()
            user = str(fields.get("userid", ""))
            password = app.users.get(provider, {}).get(user)
            if password is None or not _same(str(fields.get("password", "")), password):
                return self._refused("Invalid User Credentials")
        ends = self._clock() + self.token_seconds
        claims = {"value": self._sign(app_key, user, ends), "exp": int(ends * 1000), "integrity_check_required": False}
        return _json(200, {"claims_token": claims, "refresh_token": self._sign(app_key, user, ends + 3600)})

    def _refused(self, message: str) -> Reply:
        details = {"message": message, "errcode": 0, "errmsg": message}
        body = {"domain": "AUTH", "code": -4, "mfcode": "Auth-4", "message": message, "details": details}
        return _json(401, {**body, "httpstatus": "Unauthorized"})

    def _sign(self, app_key: str, user: str, ends: float) -> str:
        text = base64.urlsafe_b64encode(json.dumps([app_key, user, ends, self._generation]).encode()).decode()
        return f"{text}.{hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()}"

    def _user(self, request: Request) -> str | None:
        """Return who a request comes from; None without a token that is still good."""
        text, _dot, signature = request.headers.get("x-voltmx-authorization", "").partition(".")
        if not _same(signature, hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()):
            return None
        _app_key, user, ends, generation = json.loads(base64.urlsafe_b64decode(text))
        return str(user) if ends > self._clock() and generation == self._generation else None

    def _guarded(self, request: Request, service: str, serve: Callable[[], Reply]) -> Reply:
        """Serve ``anonymous…`` services to any app's login and ``secured…`` ones to its users alone."""
        user = self._user(request)
        if service.startswith("secured") and user in (None, "anonymous"):
            return self._refused("Invalid Session")
        if service.startswith("anonymous") and user is None:
            return self._refused("Invalid Session")
        return serve()

    # -- Services ----------------------------------------------------------------------------------------------------

    def _service(self, request: Request, service: str, operation: str) -> Reply:
        if request.method != "POST":
            return _json(405, {"opstatus": 405, "errmsg": "services are called by POST"})
        fields = request.fields()
        match service, operation:
            case "openweather", "getWeather":
                return ok(**_weather(str(fields.get("cityName", ""))))
            case "openweather", "refreshAll":
                return ok(cities=[_weather(city) for city in _CITIES])
            case "jsonservices", "metadatajson":
                return ok(metadata={"services": ["openweather", "jsonservices", "orders"], "version": "1.0"})
            case (("anonymousnews" | "securedledger"), _):
                return self._guarded(request, service, lambda: ok(operation=operation, user=self._user(request)))
            case _, "failing":
                return failed(8009, "the backend said no")
            case "demo", "echo":
                secret = {"x-voltmx-authorization", "authorization", "cookie"}
                headers = {name: value for name, value in request.headers.items() if name not in secret}
                return ok(method=request.method, query=dict(request.query), headers=headers, received=fields)
            case _:
                return _json(404, {"opstatus": 8004, "errmsg": f"no operation {operation} of service {service}"[:200]})

    def _object(self, request: Request, service: str, name: str) -> Reply:
        def serve() -> Reply:
            fields = request.fields()
            match request.method:
                case "GET":
                    wanted = fields.get("status")
                    return ok(**{name: [order for order in _ORDERS if wanted in (None, order["status"])]})
                case "POST":
                    return ok(**{name: [{"id": len(_ORDERS) + 1, **fields}]})
                case "PUT" | "PATCH" | "DELETE":
                    return ok(method=request.method, updatedRecords=1, **{name: [fields]})
                case _:
                    return _json(405, {"opstatus": 405, "errmsg": "no such verb"})

        return self._guarded(request, service, serve)

    # -- Faults ------------------------------------------------------------------------------------------------------

    def _fault(self, request: Request, fault: str) -> Reply:
        name, _dash, detail = fault.partition("-")
        match name:
            case "slow":
                self.held.wait(30)
                return ok(late=True)
            case "drip":
                return Reply(headers={"Content-Type": "application/json"}, pieces=self._drip())
            case "status":
                return _json(int(detail), {"message": f"answers {detail}"})
            case "broken":
                return Reply(body=b'{"opstatus": 0, "rows": [')
            case "empty":
                return Reply()
            case "html":
                return Reply(body=b"<html>Tomcat</html>", headers={"Content-Type": "text/html"})
            case "list":
                return _json(200, [1, 2, 3])
            case "huge":
                return Reply(headers={"Content-Type": "application/json"}, pieces=_zeros(1 << 16))
            case "bomb":
                body = gzip.compress(b'{"opstatus": 0, "zeros": "' + b"0" * (1 << 26) + b'"}')
                return Reply(body=body, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
            case "reset":
                return Reply(reset=True)
            case "redirect":
                return Reply(307, headers={"Location": request.query.get("to", "/services/openweather/getWeather")})
            case "loop":
                return Reply(308, headers={"Location": request.path})
            case "cookie":
                reply = ok(cookies=request.headers.get("cookie", ""))
                return Reply(reply.status, reply.body, {**reply.headers, "Set-Cookie": "marked=1; Path=/"})
            case "leak":
                # A server that tells what it was sent, credentials and all.
                return ok(told=json.dumps(dict(request.headers)), fields=request.fields(), query=dict(request.query))
            case "opstatus":
                return _json(200, {"opstatus": detail, "errmsg": "told as text"})
            case _:
                return _json(404, {"opstatus": 404, "errmsg": "no such fault"})

    def _drip(self) -> Iterator[bytes]:
        """Yield a body that begins at once and ends only when ``held`` is set."""
        yield b'{"opstatus": 0, '
        self.held.wait(30)
        yield b'"late": true}'


def _zeros(pieces: int) -> Iterator[bytes]:
    yield b'{"opstatus": 0, "zeros": "'
    for _ in range(pieces):
        yield b"0" * 65536


def _weather(city: str) -> Json:
    """Return today's weather of a city: made up, but the same for everybody who asks on the same day."""
    name = city.strip()[:100] or _CITIES[0]
    dice = hashlib.sha256(f"{name}:{time.strftime('%Y-%m-%d', time.gmtime())}".encode()).digest()
    return {
        "cityName": name,
        "description": _SKIES[dice[0] % len(_SKIES)],
        "temperature": round(dice[1] / 255 * 40 - 5, 1),
        "humidity": 30 + dice[2] % 70,
        "windSpeed": round(dice[3] / 255 * 20, 1),
    }


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())
