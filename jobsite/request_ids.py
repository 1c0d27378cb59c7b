"""One id for each request: taken from `X-Request-ID` where a proxy or a client sends a sane one, else made here."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from scheduler import request_id

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestIdMiddleware:
    """Binds the id while a request is answered, and sends it back.

    One line tells of each request that may have changed something; requests that only read are told at the level debug.
    The query is left out of it: it may hold secrets.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        sent = request.headers.get(HEADER, "")
        found = sent if request_id.is_sane(sent) else uuid.uuid4().hex
        request.request_id = found  # type: ignore[attr-defined]
        began = time.perf_counter()
        with request_id.bound(found):
            response = self._get_response(request)
            logger.log(
                logging.DEBUG if request.method in _READING else logging.INFO,
                "request.answered",
                extra={
                    "method": request.method,
                    "path": request.path_info[:500],
                    "status": response.status_code,
                    "ms": round((time.perf_counter() - began) * 1000, 1),
                },
            )
        response[HEADER] = found
        return response
