"""What the surface's views have in common: who may call, and answers in the vendor's shapes whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.http import StreamingHttpResponse
from rest_framework import permissions
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from voltmx import errors
from voltmx.authentication import ClaimsAuthentication


class AlwaysJson(BaseContentNegotiation):
    """Answers in JSON whatever ``Accept`` says: the vendor's server does, and a 406 would help nobody."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        renderer: BaseRenderer = renderers[0]
        return renderer, str(renderer.media_type)


class HasPermission(permissions.BasePermission):
    """Lets in whoever has one of the permissions that the view names for the method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.user, AnonymousUser):
            raise NotAuthenticated
        needed = getattr(view, "needs", {}).get("GET" if request.method == "HEAD" else request.method, ())
        return any(request.user.has_perm(f"scheduler.{codename}") for codename in needed)


class JobsView(APIView):
    """A view of the jobs API: claims tokens, permissions by method, the FAIL envelope."""

    authentication_classes = [ClaimsAuthentication]
    permission_classes = [HasPermission]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "head", "post", "put", "delete", "patch"]
    needs: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def handle_exception(self, exc: Exception) -> Response:
        """Return the FAIL envelope for ``exc``."""
        response = errors.fail_of(exc)
        if response.status_code == 405:
            response["Allow"] = ", ".join(self.allowed_methods)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse an unknown method before anything else: no permission could allow it."""
        if (request.method or "").upper() not in self.allowed_methods:
            self.http_method_not_allowed(request)
        super().initial(request, *args, **kwargs)

    @property
    def by(self) -> str:
        """Who is to be recorded as the author of a change: the login's e-mail, the user name where it has none."""
        user = self.request.user
        return str(getattr(user, "email", "") or user.get_username())


def stream(texts: Iterable[str]) -> StreamingHttpResponse:
    """Return an answer that sends ``texts``, JSON in pieces, as they are made.

    The first one is made already, so that what fails at the start still gets a proper answer.
    """
    remaining = iter(texts)
    first = list(islice(remaining, 1))
    return StreamingHttpResponse(chain(first, remaining), content_type="application/json")
