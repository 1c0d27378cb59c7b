"""Another console that speaks this very API, read as a client would: login, list, each job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

from scheduler import transport
from scheduler.strict_json import ANSWERS, UnreadableJson, read_storable
from voltmx.foundry.operation import scrubbed

_TIMEOUT = (10, 60)
# For one answer as a whole, however it drips.
_LONGEST_SECONDS = 600.0
_LARGEST_ANSWER = 256 << 20


class ConsoleError(Exception):
    """The other console did not answer as the reference says; the text is one sentence for people."""


class Console:
    """A session with a console. Every method raises ``ConsoleError``."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._headers: dict[str, str] = {}
        self._secrets: list[str] = []

    def log_in(self, user: str, password: str) -> None:
        """Log in; the token serves all further calls. Neither it nor the password is in what is told of a failure."""
        self._secrets = [password]
        answer = self._call("POST", "/authService/accounts/login", data={"userid": user, "password": password})
        claims = answer.get("claims_token") if isinstance(answer, dict) else None
        token = claims.get("value") if isinstance(claims, dict) else None
        if not isinstance(token, str) or not token:
            raise ConsoleError("the login's answer has no claims token")
        self._headers = {"X-VoltMX-Authorization": token}
        self._secrets.append(token)

    def jobs(self) -> list[Mapping[str, Any]]:
        """Return "Get All Jobs"."""
        listed = self._call("GET", "/admin/api/jobs/job")
        if not isinstance(listed, list) or not all(isinstance(job, dict) for job in listed):
            raise ConsoleError("the list of jobs is not a list of objects")
        return listed

    def job(self, number: int) -> Mapping[str, Any]:
        """Return "Get All Job Details with Job ID", under the address that the reference prints."""
        details = self._call("GET", f"/admin/api/jobs/job{number}")
        if not isinstance(details, dict):
            raise ConsoleError(f"the details of job {number} are not an object")
        return details

    def _call(self, method: str, path: str, **options: Any) -> Any:
        try:
            with self._session.request(
                method,
                self._url + path,
                headers=self._headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
                **options,
            ) as response:
                body = transport.content_of(response, limit=_LARGEST_ANSWER, seconds=_LONGEST_SECONDS)
        except transport.AnswerTooLarge:
            raise ConsoleError(f"{path} answers more than {_LARGEST_ANSWER} bytes") from None
        except transport.AnswerTooSlow:
            raise ConsoleError(f"{path} takes longer than {_LONGEST_SECONDS:.0f} s to answer") from None
        except requests.RequestException as error:
            raise ConsoleError(f"{path} cannot be called: {type(error).__name__}") from None
        if response.status_code != 200:
            raise ConsoleError(f"{path} answers HTTP status {response.status_code}{self._told(body)}")
        try:
            return read_storable(body, bounds=ANSWERS)
        except UnreadableJson as error:
            raise ConsoleError(f"{path} does not answer JSON: {error.problem}") from None

    def _told(self, body: bytes) -> str:
        try:
            value = read_storable(body)
        except UnreadableJson:
            return ""
        message = value.get("message") if isinstance(value, dict) else None
        return f": {scrubbed(message, self._secrets)}"[:300] if isinstance(message, str) else ""
