"""Answers given before any view is asked. Surfaces put them into their own form by the sentence that they carry."""

from __future__ import annotations

from typing import TypeVar

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.html import escape

_KEPT = ("Retry-After", "Allow", "WWW-Authenticate")
Response = TypeVar("Response", bound=HttpResponseBase)


class Refusal(HttpResponse):
    """A page of one sentence, which is without its full stop."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(f"<!doctype html><title>{status}</title><p>{escape(sentence)}.</p>\n", status=status)
        self.sentence = sentence


def refusal(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    """Return the answer of what belongs to no surface; that of a surface's address, its middleware puts into form."""
    if request.path_info.startswith("/api/"):
        return JsonResponse({"errors": [sentence]}, status=status)
    return Refusal(status, sentence)


def told(response: HttpResponseBase) -> str:
    """Return the sentence that an answer carries for people, empty where it carries none."""
    return response.sentence if isinstance(response, Refusal) else ""


def kept_headers(before: HttpResponseBase, after: Response) -> Response:
    """Return ``after`` with what the headers of ``before`` tell a client."""
    for name in _KEPT:
        if name in before.headers:
            after.headers[name] = before.headers[name]
    return after
