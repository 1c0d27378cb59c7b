"""What a request may be before anybody looks at what it asks for: its header fields, and how many like it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts import bodies, rates
from accounts.origin import address_of
from accounts.refusals import refusal

# What the form around a file may cost.
FORM_BYTES = 1 << 20
_BODY_FIELDS = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


class RequestLimitsMiddleware:
    """Answers 431 and 429. It stands inside the surfaces' middlewares, which put both into their forms.

    Users of the console are counted here; those of an API where it knows them, by ``jobsite.throttle``.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        problem = _headers_problem(request)
        if problem:
            return refusal(request, 431, problem)
        return _waiting(request, rates.of_address(address_of(request))) or self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Count the console's user, in front of the view."""
        # Views of an API have a class of their own there, know their users by other means, and read bodies themselves.
        if hasattr(view, "cls"):
            return None
        if bodies.declared_length(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE + FORM_BYTES:
            return refusal(request, 413, f"The body has more than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes")
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            return refusal(request, 415, "Forms are read as they are, without a Content-Encoding")
        if settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        return _waiting(request, rates.of_user(request.user))


def _waiting(request: HttpRequest, seconds: int) -> HttpResponse | None:
    if not seconds:
        return None
    response = refusal(request, 429, rates.sentence(seconds))
    response["Retry-After"] = str(seconds)
    return response


def _headers_problem(request: HttpRequest) -> str:
    count = size = 0
    for name, value in request.META.items():
        if name.startswith("HTTP_") or (name in _BODY_FIELDS and value):
            count += 1
            # As they were sent: a name without the mark, a colon, a space, the end of the line.
            size += len(name.removeprefix("HTTP_")) + len(str(value)) + 4
    if count > settings.HEADERS_LIMIT:
        return f"The request has more than {settings.HEADERS_LIMIT} header fields"
    if size > settings.HEADERS_LIMIT_BYTES:
        return f"The request's header fields have more than {settings.HEADERS_LIMIT_BYTES} bytes"
    return ""
