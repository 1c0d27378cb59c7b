"""An OpenID provider over HTTP that can be told to lie: for what an honest one never answers."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.http_server import PatientServer

CLIENT, SECRET = "jobsite console", "client secret: 100% of what it takes"


@cache
def key_of(name: str) -> rsa.RSAPrivateKey:
    """Return the one private key of a name."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class OpenIdServer:
    """Answers for one user at a time. What is in ``configuration``, ``claims``, ``answer`` goes over what is right."""

    def __init__(self, address: str) -> None:
        self.issuer = address
        self.configuration: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}
        self.signs, self.algorithm, self.kid = "main", "RS256", "main"
        self.status, self.padding = 200, 0
        # How much of an answer goes at once; the rest drips, for ever.
        self.drips = ""
        self.paths: list[str] = []
        self.asked: dict[str, str] = {}
        self.subject = "subject-1"

    def authorize(self, address: str) -> str:
        """Return the code for a question that the console asks through the browser."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        return "the-code"

    def get(self, path: str) -> dict[str, Any]:
        """Return what a GET is answered with."""
        if path == "/.well-known/openid-configuration":
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                **self.configuration,
            }
        if path == "/keys":
            return {"keys": [{**RSAAlgorithm.to_jwk(key_of("main").public_key(), as_dict=True), "kid": "main"}]}
        return {"sub": self.subject, **self.userinfo}

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return tokens for the code; None where the client, the code or the proof of PKCE is wrong."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        pair = "jobsite%20console:client%20secret%3A%20100%25%20of%20what%20it%20takes"
        right = {
            "grant_type": "authorization_code",
            "code": "the-code",
            "redirect_uri": self.asked.get("redirect_uri"),
            "code_verifier": form.get("code_verifier"),
        }
        known = authorization == f"Basic {base64.b64encode(pair.encode()).decode()}"
        proved = challenge.rstrip(b"=").decode() == self.asked.get("code_challenge")
        if form != right or not known or not proved:
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked["nonce"],
            **self.claims,
        }
        key: Any = (
            key_of(self.signs) if self.algorithm in ("RS256", "PS384") else SECRET if self.algorithm == "HS256" else ""
        )
        token = jwt.encode(
            {name: value for name, value in claims.items() if value is not None},
            key,
            algorithm=self.algorithm,
            headers={"kid": self.kid},
        )
        return {"access_token": "access", "token_type": "Bearer", "id_token": token, **self.answer}


@contextmanager
def serving() -> Iterator[tuple[str, list[OpenIdServer]]]:
    """Serve, on an address of this machine, whichever provider is put into the list."""
    providers: list[OpenIdServer] = []

    class Handler(BaseHTTPRequestHandler):
        # Head and body in one piece: two would wait for each other's acknowledgement.
        wbufsize = -1

        def do_GET(self) -> None:
            providers[0].paths.append(self.path)
            self._answer(providers[0].status, providers[0].get(self.path))

        def do_POST(self) -> None:
            providers[0].paths.append(self.path)
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(text).items()}
            found = providers[0].token(form, self.headers.get("Authorization", ""))
            self._answer(200 if found else 400, found or {"error": "invalid_grant"})

        def _answer(self, status: int, told: dict[str, Any]) -> None:
            body = json.dumps(told).encode() + b" " * providers[0].padding
            self.send_response(status)
            if providers[0].drips:
                self._drip(providers[0].drips)
                return
            if status == 302:
                self.send_header("Location", f"{providers[0].issuer}/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _drip(self, part: str) -> None:
            if part == "head":
                self.send_header("X-Drip", "x")
                self.flush_headers()
            else:
                self.end_headers()
            self.close_connection = True
            pause = threading.Event()
            with suppress(OSError):
                while not pause.wait(0.02):
                    self.wfile.write(b"X-Drip: x\r\n" if part == "head" else b" ")
                    self.wfile.flush()

        def log_message(self, *_: Any) -> None:
            pass

    server = PatientServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", providers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
