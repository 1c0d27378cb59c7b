"""The surface's answers where no view of it gets to answer: a bad Host header, a refused header, a crash above it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.refusals import kept_headers, told
from zementis import errors
from zementis.platform.base import ROOMS


class SurfaceErrorsMiddleware:
    """Turns Django's own error pages under the surface's paths into the service's and the platform's forms."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code < 400 or not response.get("Content-Type", "").startswith("text/html"):
            return response
        code = response.status_code
        message = f"{told(response) or f'The request was refused: {HTTPStatus(code).phrase}'}."
        body = _body(request.path_info, code, message)
        return response if body is None else kept_headers(response, JsonResponse(body, status=code))


def _body(path: str, code: int, message: str) -> dict[str, Any] | None:
    """Return what to answer below ``path``, None where it is not the surface's."""
    _, first, *rest = [*path.split("/", 3), ""]
    if first == "service" and rest[0] == "zementis":
        return errors.service_body([message])
    if first in ROOMS:
        return errors.platform_body(f"general/{errors.platform_code(code)}", message)
    return None
