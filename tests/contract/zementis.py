"""The Zementis surface's reference, sample by sample, against any server: jobs, models, apply, devices.

    python -m tests.contract.zementis --url http://127.0.0.1:8000 --user admin

The password is read from CONTRACT_PASSWORD or asked for. The samples include the removal of all jobs, so that the
server must be one whose jobs may go: say so with --remove-all-jobs. Of models and devices only the samples' own go.

A step of a data file is a request and what it has to answer, or with ``"setup": true`` what the samples need. A request
carries one of ``body`` (sent as JSON), ``text`` (as it is), ``file`` (bytes of a file in the repository) and ``form``
(such a file, or a text, as the field ``file``), and may have ``headers``; null leaves out one that is always sent. An
answer's ``body`` is compared whole, or with a ``file``. In it ``<instant>`` and the like stand for any such value,
``<others>`` in a list for elements that are nobody's business, and ``{name}`` for what an earlier answer gave.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).resolve().parent / "data" / "zementis"
FILES = ("reference.json", "models.json", "devices.json")
_NAME = re.compile(r"\{(\w+)(:number)?\}")
_MASKS = {
    "<id>": lambda value: isinstance(value, int) and not isinstance(value, bool) and value > 0,
    "<instant>": lambda value: (
        isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", value) is not None
    ),
    "<milliseconds>": lambda value: isinstance(value, str) and value.isdigit(),
    "<number as text>": lambda value: isinstance(value, str) and value.isdigit(),
    "<number>": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "<text>": lambda value: isinstance(value, str) and value != "",
    "<date>": lambda value: isinstance(value, str) and re.fullmatch(r"[A-Z][a-z]{2} \d{1,2}, \d{4}", value) is not None,
}
_OTHERS = "<others>"
_PAUSE = threading.Event()


@dataclass(frozen=True)
class Result:
    """How one sample went; no problems means that the answer was the reference's."""

    name: str
    reference: str
    problems: tuple[str, ...]


@dataclass
class Server:
    """A server under test, and what the steps have learned of it."""

    url: str
    user: str
    password: str
    wait_seconds: float = 120.0
    remembered: dict[str, Any] = field(default_factory=dict)

    def run(self, steps: list[dict[str, Any]]) -> Iterator[Result]:
        """Take the steps in turn and give a result per sample. Raises ``SetupFailed``."""
        now = datetime.now(UTC)
        self.remembered["url"] = self.url.rstrip("/")
        self.remembered["tomorrow"] = (now + timedelta(days=1)).isoformat()
        for place in range(10):
            self.remembered[f"measured{place}"] = (now - timedelta(seconds=100 - place)).isoformat()
        for step in steps:
            if step.get("setup"):
                self._set_up(step)
            else:
                yield self._sample(step)

    def _set_up(self, step: dict[str, Any]) -> None:
        if step.get("clock"):
            self.remembered["fires"] = two_fires(datetime.now(UTC))
            return
        if "wait" in step:
            self._wait(step["wait"])
            return
        status, _, body = self._ask(step["request"])
        if status not in step["expect"]:
            raise SetupFailed(f"{step['name']}: status {status}, {json.dumps(body)[:300]}")
        self._remember(step, body)

    def _wait(self, wanted: dict[str, Any]) -> None:
        end = time.monotonic() + self.wait_seconds
        path = f"/service/zementis/job/{self._filled(wanted['job'])}/history"
        while time.monotonic() < end:
            _, _, body = self._ask({"method": "GET", "path": path, "login": True})
            if isinstance(body, list) and len(body) >= wanted["executions"]:
                return
            _PAUSE.wait(0.2)
        raise SetupFailed(f"no {wanted['executions']} executions of {path} within {self.wait_seconds:g} s")

    def _sample(self, step: dict[str, Any]) -> Result:
        try:
            problems = self._problems(step)
        except Unknown as error:
            problems = [str(error)]
        return Result(step["name"], step["reference"], tuple(problems))

    def _problems(self, step: dict[str, Any]) -> list[str]:
        status, headers, body = self._ask(step["request"])
        expected = step["answer"]
        problems = [] if status == expected["status"] else [f"status {status} instead of {expected['status']}"]
        for name, value in expected.get("headers", {}).items():
            if headers.get(name) != value:
                problems.append(f"header {name}: {headers.get(name)!r} instead of {value!r}")
        wanted = (ROOT / expected["file"]).read_text() if "file" in expected else self._filled(expected["body"])
        problems += differences(body, wanted)
        if not problems:
            self._remember(step, body)
        return problems

    def _ask(self, request: dict[str, Any]) -> tuple[int, Any, Any]:
        response = self._answer(request)
        try:
            return response.status_code, response.headers, response.json() if response.content else None
        except ValueError:
            return response.status_code, response.headers, response.content.decode("utf-8", "replace")

    def _answer(self, request: dict[str, Any]) -> requests.Response:
        options: dict[str, Any] = {}
        if request["login"]:
            options["auth"] = (self.user, self.password)
        headers = dict(request.get("headers", {}))
        if "file" in request:
            options["data"] = _content(request)
            headers.setdefault("Content-Type", "application/octet-stream")
        elif "text" in request:
            options["data"] = _content(request)
        elif "form" in request:
            options["files"] = {"file": (request["form"]["name"], _content(request["form"]))}
        elif "body" in request:
            options["json"] = self._filled(request["body"])
        return requests.request(
            request["method"],
            self.url.rstrip("/") + self._filled(request["path"]),
            headers=headers,
            timeout=120,
            **options,
        )

    def _remember(self, step: dict[str, Any], body: Any) -> None:
        for name, key in step.get("remember", {}).items():
            self.remembered[name] = body[key]

    def _filled(self, value: Any) -> Any:
        """Put what is remembered in the place of names in braces. Raises ``Unknown``."""
        if isinstance(value, dict):
            return {self._filled(key): self._filled(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if not isinstance(value, str):
            return value
        whole = _NAME.fullmatch(value)
        if whole:
            found = self._known(whole[1])
            return int(found) if whole[2] else found
        return _NAME.sub(lambda match: str(self._known(match[1])), value)

    def _known(self, name: str) -> Any:
        if name not in self.remembered:
            raise Unknown(f"no earlier answer gave {{{name}}}")
        return self.remembered[name]


class SetupFailed(Exception):
    """What the samples need could not be made."""


class Unknown(SetupFailed):
    """A step needs what no earlier answer gave, since that sample failed."""


def _content(source: dict[str, Any]) -> bytes:
    """Return the bytes of ``text``, or of the repository's ``file``."""
    return str(source["text"]).encode() if "text" in source else (ROOT / source["file"]).read_bytes()


def two_fires(now: datetime) -> str:
    """Return a Quartz expression, to be read in Asia/Calcutta, of two instants soon, some seconds apart."""
    first = (now + timedelta(hours=5, minutes=30)).replace(microsecond=0) + timedelta(seconds=5)
    if first.second > 50:
        first = first.replace(second=0) + timedelta(minutes=1)
    second = first + timedelta(seconds=8)
    return f"{first.second},{second.second} {first.minute} {first.hour} {first.day} {first.month} ? {first.year}"


def differences(found: Any, expected: Any, *, path: str = "body") -> list[str]:
    """Compare whole answers, the order of keys included; return one sentence per difference."""
    if isinstance(expected, str) and expected in _MASKS:
        return [] if _MASKS[expected](found) else [f"{path}: {found!r} is no {expected}"]
    if isinstance(expected, dict) and isinstance(found, dict):
        if list(found) != list(expected):
            return [f"{path}: keys {list(found)} instead of {list(expected)}"]
        return [line for key in expected for line in differences(found[key], expected[key], path=f"{path}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and _OTHERS in expected:
        return [f"{path}: no {item!r} in {found!r}" for item in expected if item not in (_OTHERS, *found)]
    if isinstance(expected, list) and isinstance(found, list):
        if len(found) != len(expected):
            return [f"{path}: {len(found)} elements instead of {len(expected)}"]
        pairs = zip(found, expected, strict=True)
        return [line for place, pair in enumerate(pairs) for line in differences(*pair, path=f"{path}[{place}]")]
    if isinstance(expected, float) and isinstance(found, (int, float)) and not isinstance(found, bool):
        near = abs(found - expected) <= 1e-9 * max(1.0, abs(expected))
        return [] if near else [f"{path}: {found!r} instead of {expected!r}"]
    same = type(found) is type(expected) and found == expected
    return [] if same else [f"{path}: {found!r} instead of {expected!r}"]


def steps() -> list[dict[str, Any]]:
    """Return the steps of the data files, in the order in which they are taken."""
    return [step for name in FILES for step in json.loads((DATA / name).read_text())["steps"]]


def samples() -> list[str]:
    """Return the samples' names."""
    return [step["name"] for step in steps() if not step.get("setup")]


def main() -> int:
    """Run all samples and print how they went; 0 where all answers were the reference's."""
    parser = argparse.ArgumentParser(description="Compare a server with the reference of the Zementis surface.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--user", required=True, help="user, or tenant/user")
    parser.add_argument("--remove-all-jobs", action="store_true", help="the server's jobs may be removed")
    options = parser.parse_args()
    if not options.remove_all_jobs:
        parser.error("the samples remove every job of the server; say --remove-all-jobs if that may be")
    password = os.environ.get("CONTRACT_PASSWORD") or getpass.getpass()
    failed = 0
    try:
        for result in Server(options.url, options.user, password).run(steps()):
            failed += bool(result.problems)
            print("ok  " if not result.problems else "FAIL", f"{result.reference}: {result.name}")
            for problem in result.problems:
                print("      ", problem)
    except SetupFailed as error:
        print("STOP", error)
        return 2
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
