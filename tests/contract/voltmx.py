"""The Volt MX reference as a contract that any server can be held to.

    python -m tests.contract.voltmx --url http://127.0.0.1:8000 --user admin

Each file of ``data/voltmx`` is a step: a request, the status and the whole body expected, the members in their order.
In a body ``{{name}}`` is a variable: the first answer that holds it settles its value, later ones must agree.
``<id>``, ``<instant>`` and the like stand for any value of their sort. The steps create two jobs and delete them.
Needs nothing of this project: it may be pointed at a Foundry console too.
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
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

DATA = Path(__file__).parent / "data" / "voltmx"
_VARIABLE = re.compile(r"\{\{(\w+)\}\}")
_SORTS: dict[str, Any] = {
    "<id>": lambda value: type(value) is int and value > 0,
    "<duration>": lambda value: type(value) is int and value >= 0,
    "<milliseconds>": lambda value: type(value) is int and 1_500_000_000_000 < value < 10_000_000_000_000,
    "<token>": lambda value: isinstance(value, str) and len(value) >= 8,
    "<instant>": lambda value: isinstance(value, str) and re.fullmatch(r"\d{4}(-\d\d){2} \d\d(:\d\d){2}", value),
    "<sentence>": lambda value: isinstance(value, str) and bool(value.strip()) and "\n" not in value,
    "<ending>": lambda value: value in ("Success", "Fail"),
    "<details>": lambda value: value is None or isinstance(value, dict),
}


class Broken(AssertionError):
    """A server's answer is not the one of the contract."""


@dataclass
class Contract:
    """The contract against one server, with the variables that its answers have settled so far."""

    url: str
    variables: dict[str, Any]
    patience: float = 30
    session: requests.Session = field(default_factory=requests.Session)

    def steps(self) -> Iterator[dict[str, Any]]:
        """Yield the steps in their order."""
        for path in sorted(DATA.glob("*.json")):
            yield {"name": path.stem, **json.loads(path.read_text(encoding="utf-8"))}

    def check(self, step: dict[str, Any]) -> None:
        """Make a step's request and compare. Raises ``Broken``."""
        deadline = time.monotonic() + self.patience
        rows = step.get("until_rows")
        while True:
            answer = self._send(step["request"])
            body = self._body(step, answer)
            if rows is None or not isinstance(body, list) or len(body) >= rows or time.monotonic() > deadline:
                break
            threading.Event().wait(0.2)
        if answer.status_code != step["status"]:
            raise Broken(f"status {answer.status_code} instead of {step['status']}: {answer.text[:500]}")
        self._compare(step["body"], body, "body")

    def choose_names(self) -> None:
        """Choose ids and names for the two jobs: the reference's where they are free."""
        self.check(next(step for step in self.steps() if step["name"] == "01-login"))
        listed = self._send(
            {"method": "GET", "path": "/admin/api/jobs/job", "headers": {"X-VoltMX-Authorization": "{{token}}"}}
        ).json()
        ids, names = {job["jobId"] for job in listed}, {job["jobName"] for job in listed}
        free = (number for number in range(1, len(ids) + 3) if number not in ids)
        weather, first = next(free), next(free)
        suffix = "" if not names & {"testjob1", "testjob1 again", "job1"} else f" {uuid.uuid4().hex[:8]}"
        self.variables |= {"jobId": first, "weatherId": weather}
        self.variables |= {"jobName": f"testjob1{suffix}", "weatherName": f"job1{suffix}"}
        del self.variables["token"], self.variables["refresh"]

    def _send(self, request: dict[str, Any]) -> requests.Response:
        filled = self._filled(request)
        options: dict[str, Any] = {"headers": filled.get("headers", {}), "timeout": 30, "allow_redirects": False}
        if "json" in filled:
            options["json"] = filled["json"]
        if "form" in filled:
            options["data"] = filled["form"]
        return self.session.request(filled["method"], self.url.rstrip("/") + filled["path"], **options)

    def _body(self, step: dict[str, Any], answer: requests.Response) -> Any:
        kind = answer.headers.get("Content-Type", "")
        if not kind.startswith("application/json"):
            raise Broken(f"the answer is {kind or 'of no type'}, not JSON: {answer.text[:200]}")
        body = answer.json()
        if "only" in step and isinstance(body, list):
            wanted = self._filled(step["only"]).items()
            body = [row for row in body if wanted <= {name: row.get(name) for name, _ in wanted}.items()]
        return body

    def _filled(self, value: Any) -> Any:
        """Return a value with its variables replaced; one that is a variable alone takes the variable's type."""
        if isinstance(value, dict):
            return {name: self._filled(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        if not isinstance(value, str):
            return value
        alone = _VARIABLE.fullmatch(value)
        if alone:
            return self.variables[alone[1]]
        return _VARIABLE.sub(lambda match: str(self.variables[match[1]]), value)

    def _compare(self, expected: Any, actual: Any, path: str) -> None:
        variable = _VARIABLE.fullmatch(expected) if isinstance(expected, str) else None
        if variable:
            expected = self.variables.setdefault(variable[1], actual)
        if isinstance(expected, str) and expected in _SORTS:
            if not _SORTS[expected](actual):
                raise Broken(f"{path} is {actual!r}, not {expected}")
        elif isinstance(expected, dict) and isinstance(actual, dict):
            if list(expected) != list(actual):
                raise Broken(f"{path} has the members {list(actual)} instead of {list(expected)}")
            for name in expected:
                self._compare(expected[name], actual[name], f"{path}.{name}")
        elif isinstance(expected, list) and isinstance(actual, list):
            if len(expected) != len(actual):
                raise Broken(f"{path} has {len(actual)} entries instead of {len(expected)}: {actual!r}"[:1000])
            for index, pair in enumerate(zip(expected, actual, strict=True)):
                self._compare(*pair, f"{path}[{index}]")
        elif type(expected) is not type(actual) or expected != actual:
            raise Broken(f"{path} is {actual!r} instead of {expected!r}")


def main() -> int:
    """Hold a server to the contract and tell how each step went. Return 0 where all of them hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract.voltmx", description=str(__doc__).split("\n")[0])
    parser.add_argument("--url", required=True, help="the server, say http://127.0.0.1:8000")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", default=os.environ.get("VOLTMX_PASSWORD"), help="else VOLTMX_PASSWORD, or asked")
    options = parser.parse_args()
    password = options.password if options.password is not None else getpass.getpass()
    contract = Contract(options.url, {"user": options.user, "password": password})
    broken = 0
    try:
        contract.choose_names()
    except (Broken, requests.RequestException, KeyError, ValueError) as error:
        print(f"cannot begin: {error}")
        return 2
    for step in contract.steps():
        try:
            contract.check(step)
            print(f"holds   {step['name']}: {step['title']}")
        except (Broken, requests.RequestException, KeyError, ValueError) as error:
            broken += 1
            print(f"BROKEN  {step['name']}: {step['title']}: {error}")
    print(f"{broken} broken" if broken else "all hold")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
