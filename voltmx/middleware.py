"""The surface's answers where no view of it gets to answer: a bad Host header, a refused header, a crash above it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, JsonResponse

from accounts.refusals import kept_headers, told
from voltmx import errors

_JOBS, _ACCOUNTS = "/admin/api/jobs", "/authService/accounts"


class VendorErrorsMiddleware:
    """Turns Django's own error pages under the surface's addresses into the vendor's shapes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if response.status_code < 400 or response.get("Content-Type", "").startswith("application/json"):
            return response
        message = told(response) or f"The request was refused: {HTTPStatus(response.status_code).phrase}"
        for prefix, body in ((_JOBS, errors.fail_body), (_ACCOUNTS, errors.auth_body)):
            if request.path_info == prefix or request.path_info.startswith(f"{prefix}/"):
                found = JsonResponse(body(response.status_code, message), status=response.status_code)
                return kept_headers(response, found)
        return response
