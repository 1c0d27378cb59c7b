"""Asking the console as a browser does."""

from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse


def url(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


def said(response: Any) -> list[str]:
    """What an answer tells the user, as the next page will show it."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def text(response: Any) -> str:
    """The body of an answer."""
    return str(response.content.decode())


def act(client: Client, action: str, *pks: int | str, model: str = "scheduler_job", **extra: Any) -> Any:
    """Perform an action of a list on the rows `pks`."""
    data = {"action": action, "_selected_action": [str(pk) for pk in pks], **extra}
    return client.post(url(f"{model}_changelist"), data)


def errors(response: Any) -> dict[str, list[str]]:
    """The errors of the form that an answer shows, by field."""
    return {name: list(found) for name, found in response.context["adminform"].form.errors.items()}
