"""The miniature Foundry served by the stack itself, so that the demo's jobs have something real to call."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from voltmx.demo.foundry import Foundry, Request

_BODY_LIMIT = 65536


@lru_cache(maxsize=1)
def _runtime() -> Foundry:
    # Without apps nobody can log in: the demo's operations are public.
    return Foundry(secret=settings.SECRET_KEY)


@csrf_exempt
def foundry(request: HttpRequest) -> HttpResponse:
    """Answer as the runtime would."""
    length = str(request.META.get("CONTENT_LENGTH") or "0")
    if not length.isdigit() or int(length) > _BODY_LIMIT:
        return HttpResponse(b'{"opstatus": 413, "errmsg": "too large"}', "application/json", 413)
    headers = {name.lower(): value for name, value in request.headers.items()}
    asked = Request(request.method or "GET", request.path_info, request.GET.dict(), headers, request.body)
    reply = _runtime().answer(asked)
    response = HttpResponse(reply.body, status=reply.status)
    for name, value in reply.headers.items():
        response[name] = value
    return response
