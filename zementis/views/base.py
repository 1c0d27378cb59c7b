"""What all views of this surface share: who may do what, how answers are written, how long lists are streamed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from zementis import errors
from zementis.authentication import CumulocityAuthentication

# A page past the end is empty wherever it lies. More digits than these fit into no request line, and Python reads none.
_DIGITS = re.compile(r"[0-9]{1,4000}")


class Json(BaseRenderer):
    """Plain JSON in UTF-8, whatever was asked for."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        """Return ``data`` as JSON; nothing for None."""
        return b"" if data is None else dumps(data)


def dumps(data: Any) -> bytes:
    """Return ``data`` as JSON in UTF-8; a half character that a client sent comes back escaped."""
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(data, allow_nan=False, separators=(",", ":")).encode()


class AlwaysJson(BaseContentNegotiation):
    """Answers JSON to everyone: the vendor's services do not look at Accept either."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type


class HasPermission(BasePermission):
    """The permission that the view names for the method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the user is known and may do this. A method the view does not have is refused later, by name."""
        needed = getattr(view, "permissions", {}).get("GET" if request.method == "HEAD" else request.method)
        user = request.user
        return bool(user and user.is_authenticated and (needed is None or user.has_perm(needed)))


class SurfaceView(APIView):
    """A resource. ``permissions`` maps a method to the permission it takes."""

    permissions: ClassVar[Mapping[str, str]] = {}
    authentication_classes = (CumulocityAuthentication,)
    permission_classes = (HasPermission,)
    renderer_classes = (Json,)
    parser_classes = ()
    content_negotiation_class = AlwaysJson
    metadata_class = None

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Any]:
        """Errors go out in the service's form."""
        return errors.service


def positive(text: str) -> int | None:
    """Return the positive whole number that a parameter holds, however large; None where it holds none."""
    return (int(text) or None) if _DIGITS.fullmatch(text) else None


def streamed_list(items: Iterable[Any], *, status: int = 200) -> StreamingHttpResponse:
    """Answer a JSON array without holding it."""
    return streamed(_array(items), status=status)


def streamed(parts: Iterable[bytes], *, status: int = 200) -> StreamingHttpResponse:
    """Answer JSON text that comes in parts."""
    return StreamingHttpResponse(parts, status=status, content_type="application/json")


def _array(items: Iterable[Any]) -> Iterator[bytes]:
    yield b"["
    for place, item in enumerate(items):
        yield (b"," if place else b"") + dumps(item)
    yield b"]"
