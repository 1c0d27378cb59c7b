"""A service that repeats what it was sent, and is another console whose jobs have secrets."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.access.marks import plain
from tests.voltmx.wire import sample

SECRETIVE = {
    "requestheaderMap": {"Authorization": f"Bearer {plain('header-bearer')}", "X-Api-Key": plain("header-key")},
    "queryParams": {"api_key": plain("query-key"), "page": 3},
    "authentication": {"type": "ADMIN", "username": "ada", "password": plain("job-password")},
}
# What another console, from which jobs are imported, says of a job that is here and of one that is not.
CONSOLE: dict[str, Any] = {
    "/admin/api/jobs/job": [
        {"jobId": number, "jobName": name, "description": name} for number, name in ((1, "ok"), (77, "theirs"))
    ],
    **{
        f"/admin/api/jobs/job{number}": sample(jobId=number, jobName=name, info=SECRETIVE)
        for number, name in ((1, "ok"), (77, "theirs"))
    },
}


class Echo(BaseHTTPRequestHandler):
    """A service that sends everything back that it was sent, as an object, as a failure, or as text."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        path = urlsplit(self.path)
        everything = {
            "headers": dict(self.headers.items()),
            "path": self.path,
            "query": dict(parse_qsl(path.query)),
            "body": body,
            "fields": dict(parse_qsl(body)),
        }
        text = json.dumps(everything)
        status, kind = 200, "application/json"
        if path.path in CONSOLE:
            text = json.dumps(CONSOLE[path.path])
        elif path.path == "/service/zementis/jobs":
            text = json.dumps([{"jobName": "theirs", "associatedModel": "m"}])
        elif path.path.startswith("/service/zementis/"):
            status = 404
        elif path.path.startswith("/authService/"):
            claims = {"value": plain("runtime-token"), "exp": 4_000_000_000_000}
            text = json.dumps({"claims_token": claims, "everything": everything})
        elif path.path.endswith("/ok"):
            text = json.dumps({"opstatus": 0, "everything": everything})
        elif path.path.endswith("/text"):
            text, kind = "\n".join(map(str, everything.values())), "text/plain"
        else:
            status, text = (
                500,
                json.dumps({"errmsg": f"refused {text}", "message": f"refused {body}", "everything": everything}),
            )
        answer = text.encode()
        self.send_response(status, "Refused")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        for name in ("Authorization", "X-Api-Key"):
            if name in self.headers:
                self.send_header(f"X-Echoed-{name}", self.headers[name])
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass
