"""What the database refuses of the console's requests: an answer, not a crash."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import FieldDoesNotExist
from django.db import DataError, IntegrityError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.defaults import bad_request

_REFUSALS = (DataError, FieldDoesNotExist, OverflowError)


class RefusedValuesMiddleware:
    """Answers 400 where PostgreSQL, or the way to it, refused a value that a page of the console was asked for.

    Lists filter by any column that their query names (`?name=`, `?at__gte=`, `?name__regex=`), and keys stand in paths:
    NUL in a text, half a regular expression, a time before the first year come up only when the rows are read. So does
    `?_to_field=` with nothing behind it, which the stock pages take for the name of a column. And 409 where what others
    wrote at the same moment does not go with what was asked for, such as a user's token while the user is deleted.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the refusal, None for what is another's affair."""
        if not request.path_info.startswith(reverse("admin:index")):
            return None
        if isinstance(exception, IntegrityError):
            answer: HttpResponse = bad_request(request, exception)
            answer.status_code = 409
            return answer
        if isinstance(exception, _REFUSALS) or _no_key(exception):
            return bad_request(request, exception)
        return None


def _no_key(exception: Exception) -> bool:
    """Whether a choice by key was no number: the stock fields with completion look for it again to show it."""
    return isinstance(exception, ValueError) and "expected a number but got" in str(exception)
