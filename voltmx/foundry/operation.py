"""One service call from a job's arguments to an outcome: server, login, request, answer, verdict."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from scheduler.job_types import Outcome, RunCancelled
from scheduler.models import Status
from voltmx import registry
from voltmx.arguments import Arguments
from voltmx.foundry import answers, calls, identity
from voltmx.foundry.calls import Call
from voltmx.foundry.client import Answer, Client, Run
from voltmx.foundry.errors import CallFailed
from voltmx.foundry.identity import Login
from voltmx.registry import Server, UnregisteredService
from voltmx.secret import MASK, UnreadableSecret

_SHORTEST_SCRUBBED = 4


@dataclass(frozen=True)
class Result:
    """The outcome of a call and, where the server answered, its answer."""

    outcome: Outcome
    answer: Answer | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the call did what the job wants."""
        return self.outcome.status is Status.SUCCEEDED


def perform(arguments: Arguments, run: Run) -> Result:
    """Call the service of a job on its registered server. Raises only what ``Run.check`` raises."""
    try:
        server = registry.resolve(arguments.service_name, arguments.version)
    except UnregisteredService as refusal:
        return _failed(f"{answers.INTERNAL}: {refusal}")
    return perform_on(server, arguments, run)


def perform_on(server: Server, arguments: Arguments, run: Run) -> Result:
    """Call the service of a job on ``server``. Raises only what ``Run.check`` raises."""
    secrets: list[str] = []
    try:
        return _performed(server, arguments, run, secrets)
    except RunCancelled:
        raise
    except Exception as error:
        if not _tells(error, secrets):
            raise
        # Whoever records it would record the secret with it.
        return _failed(f"{answers.INTERNAL}: {type(error).__name__}")


def _performed(server: Server, arguments: Arguments, run: Run, secrets: list[str]) -> Result:
    shown: Any = None
    try:
        secrets += [secret.reveal() for secret in arguments.secrets()]
        call = calls.build(arguments, server.url)
        shown = scrubbed(call.shown(), secrets)
        login = identity.login_for(arguments, server)
        client = Client(server, run)
        answer = _answered(call, login, client, secrets)
    except CallFailed as failure:
        message = scrubbed(f"{answers.INTERNAL}: {failure.message}", secrets)
        return _failed(message, retryable=failure.retryable, request=shown)
    except UnreadableSecret as failure:
        return _failed(f"{answers.INTERNAL}: {failure}", request=shown)
    verdict = answers.judge(answer, criterion=arguments.success_criteria)
    response = scrubbed(answers.shown(answer), secrets)
    if login is not None:
        shown = {**shown, "headers": {**shown["headers"], calls.TOKEN_HEADER: MASK}}
    if not verdict.succeeded:
        message = scrubbed(verdict.message, secrets)
        return _failed(message, retryable=verdict.retryable, request=shown, response=response, answer=answer)
    return Result(Outcome(Status.SUCCEEDED, (), shown, response), answer)


def _answered(call: Call, login: Login | None, client: Client, secrets: list[str]) -> Answer:
    """Return the service's answer. A token that it does not take is replaced once: it may have been revoked."""
    if login is None:
        return client.send(call)
    secrets += login.secrets
    for last in (False, True):
        token = identity.tokens.token_for(login, client)
        secrets.append(token)
        answer = client.send(call.with_token(token))
        if answer.status != 401 or last:
            break
        identity.tokens.drop(login, token)
    return answer


def scrubbed(value: Any, secrets: Iterable[str]) -> Any:
    """Return JSON with every occurrence of a known secret replaced, wherever a server may have echoed it."""
    known = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST_SCRUBBED}
    # The longest first: what is left of a secret when a part of it is gone would stay.
    return _scrubbed(value, sorted(known, key=len, reverse=True)) if known else value


def _scrubbed(value: Any, known: list[str]) -> Any:
    if isinstance(value, str):
        for text in known:
            value = value.replace(text, MASK)
        return value
    if isinstance(value, dict):
        return {_scrubbed(name, known): _scrubbed(item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [_scrubbed(item, known) for item in value]
    return value


def _forms(secret: str) -> Iterator[str]:
    """Yield the ways in which a server may write a secret that it was sent."""
    parts = [secret]
    scheme, _, rest = secret.strip().partition(" ")
    if rest:
        # "Bearer …": what counts is behind the scheme; "Basic …" packs a password.
        parts.append(rest.strip())
        if scheme.lower() == "basic":
            with suppress(ValueError):
                login = base64.b64decode(rest, validate=True).decode()
                parts += [login, login.partition(":")[2]]
    for part in parts:
        yield from (part, quote(part), quote(part, safe=""), quote_plus(part), json.dumps(part)[1:-1])
        yield from (
            part.strip(),
            base64.b64encode(part.encode()).decode(),
            base64.urlsafe_b64encode(part.encode()).decode(),
        )


def _tells(error: Exception, secrets: list[str]) -> bool:
    text = "".join(traceback.format_exception(error))
    return bool(scrubbed(text, secrets) != text)


def _failed(
    message: str,
    *,
    retryable: bool = False,
    request: Any = None,
    response: Any = None,
    answer: Answer | None = None,
) -> Result:
    return Result(Outcome(Status.FAILED, (message,), request, response, retryable), answer)
