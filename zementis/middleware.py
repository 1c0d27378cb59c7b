"""The surface's answers where no view of it gets to answer: a bad Host header, a refused header, a crash above it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

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
        body = _body(request.path_info, response.status_code)
        return response if body is None else JsonResponse(body, status=response.status_code)


def _body(path: str, code: int) -> dict[str, Any] | None:
    """Return what to answer below ``path``, None where it is not the surface's."""
    message = f"The request was refused: {HTTPStatus(code).phrase}."
    _, first, *rest = [*path.split("/", 3), ""]
    if first == "service" and rest[0] == "zementis":
        return errors.service_body([message])
    if first in ROOMS:
        return errors.platform_body(f"general/{errors.platform_code(code)}", message)
    return None
