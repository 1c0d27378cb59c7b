"""A whole stack with the demo, and a Foundry beside it whose services can be held: what the browser is shown."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from tests.browser.pages import service_arguments
from tests.processes import LiveProcess, free_port
from voltmx.demo.foundry import Foundry
from voltmx.demo.server import FoundryServer

USER, PASSWORD = "admin", "Look-at-it-42"


@dataclass(frozen=True)
class Stack:
    """Where the console is, and the Foundry that its jobs call as the services `faults` and `demo`."""

    url: str
    data: Path
    foundry: Foundry

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @cached_property
    def token(self) -> str:
        """A claims token of the administrator."""
        answer = requests.post(
            f"{self.url}/authService/accounts/login", data={"userid": USER, "password": PASSWORD}, timeout=20
        )
        return str(answer.json()["claims_token"]["value"])

    def call(self, method: str, path: str, **options: Any) -> Any:
        """What the services' API answers; AssertionError where it refuses."""
        answer = requests.request(
            method,
            f"{self.url}/admin/api/jobs/{path}",
            headers={"X-VoltMX-Authorization": self.token},
            timeout=20,
            **options,
        )
        assert answer.ok, answer.text
        return answer.json()

    def add_service_job(self, name: str, *, service: str, operation: str, **changes: Any) -> None:
        """Create a job that calls a service, through the API."""
        job = {
            "jobName": name,
            "jobFrequency": "0 0 3 1 1 ? *",
            "description": "",
            **service_arguments(operation, service=service),
            "jobStatus": "Active",
            "historyStrategy": "FULL",
            "retentionPeriod": "30",
        }
        self.call("POST", "job", json={**job, **changes})


@contextmanager
def stack(**environment: str) -> Iterator[Stack]:
    """A stack of its own, ready, gone with all its files at the end. `environment` adds settings."""
    root = Path(tempfile.mkdtemp(prefix="jobsite-browser-"))
    # PostgreSQL may run as another user; its own directories stay closed.
    root.chmod(0o711)
    foundry = Foundry(faults=True)
    with FoundryServer(foundry) as server:
        own = {
            "DATA_DIR": str(root / "data"),
            "PORT": str(free_port()),
            "DATABASE_URL": "",
            "CELERY_BROKER_URL": "",
            "EXTRA_APPS": "",
            # What is off by default is looked at too; nobody answers there.
            "MFA": "optional",
            "OIDC_ISSUER": "http://127.0.0.1:9",
            "OIDC_CLIENT_ID": "console",
            "ADMIN_USER": USER,
            "ADMIN_PASSWORD": PASSWORD,
            "VOLTMX_SERVICES": f"faults={server.url},demo={server.url}",
        }
        process = LiveProcess(sys.executable, "manage.py", "stack", environment={**own, **environment})
        try:
            process.wait_for_line(r"is ready after", deadline=120)
            yield Stack(f"http://127.0.0.1:{own['PORT']}", root / "data", foundry)
        finally:
            try:
                process.stop(deadline=20)
            finally:
                process.close()
                shutil.rmtree(root, ignore_errors=True)
