"""The login door under ``/authService/accounts``: login, refresh, logout."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.http.multipartparser import MultiPartParser
from rest_framework.exceptions import AuthenticationFailed, NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import audit, doors
from scheduler.strict_json import UnreadableJson
from voltmx import errors, tokens
from voltmx.authentication import token_of
from voltmx.body import media_type, read_bytes, read_object
from voltmx.reading import Problems, Reader
from voltmx.views.base import AlwaysJson

_INVALID = "Invalid User Credentials"


class AccountsView(APIView):
    """A view of the login door: open to everybody, errors in the AUTH shape."""

    authentication_classes = []
    permission_classes = []
    renderer_classes = [JSONRenderer]
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "head", "post", "put", "delete", "patch"]

    def handle_exception(self, exc: Exception) -> Response:
        """Return the AUTH shape for ``exc``."""
        response = errors.auth_fail_of(exc)
        if response.status_code == 405:
            response["Allow"] = ", ".join(self.allowed_methods)
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Keep tokens out of caches."""
        final = super().finalize_response(request, response, *args, **kwargs)
        final["Cache-Control"] = "no-store"
        return final


class Login(AccountsView):
    """``/authService/accounts/login``."""

    def post(self, request: Request) -> Response:
        """Exchange user id and password for tokens; wrong ones and inactive accounts look all the same."""
        userid, password = _credentials(_fields(request))
        # The same one query whether or not the account exists.
        known = list(get_user_model().objects.filter(Q(username=userid) | Q(email__iexact=userid, email__gt=""))[:3])
        account = next((user for user in known if user.get_username() == userid), known[0] if len(known) == 1 else None)
        name = account.get_username() if account else userid
        user = doors.enter(request._request, name=name, password=password, door="voltmx")
        if user is None:
            raise AuthenticationFailed(_INVALID)
        issued = tokens.open_session(user)
        audit.record("login.succeeded", target=name, changes={"door": "voltmx"}, by=name)
        return Response(_welcome(user, issued))


class Claims(AccountsView):
    """``/authService/accounts/claims``."""

    def post(self, request: Request) -> Response:
        """Exchange a refresh token, sent bare in ``Authorization``, for fresh tokens."""
        try:
            user, issued = tokens.renew(_bare(request))
        except tokens.BadToken:
            raise AuthenticationFailed("Invalid refresh token") from None
        return Response(_welcome(user, issued))


class Logout(AccountsView):
    """``/authService/accounts/logout``."""

    def post(self, request: Request) -> Response:
        """Revoke the tokens of the login that the token (claims or refresh) in the request belongs to."""
        try:
            user = tokens.close_session(_bare(request) or token_of(request))
        except tokens.BadToken:
            raise AuthenticationFailed("Invalid token") from None
        audit.record("login.ended", target=user.get_username(), changes={"door": "voltmx"}, by=user.get_username())
        return Response({})


class Nothing(AccountsView):
    """Every other address below ``/authService/accounts``."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Answer 404 to every method."""
        raise NotFound


def _bare(request: Request) -> str:
    value = request.headers.get("Authorization", "").strip()
    return value[7:].strip() if value[:7].lower() == "bearer " else value


def _fields(request: Request) -> Mapping[str, Any]:
    """Return the fields of a form or a JSON object. Raises what reading either raises."""
    kind = media_type(request)
    if kind == "multipart/form-data":
        body = read_bytes(request)
        # Django's own reading goes by a length, which what comes in chunks has none of.
        described = {"CONTENT_TYPE": request.META["CONTENT_TYPE"], "CONTENT_LENGTH": len(body)}
        parser = MultiPartParser(described, BytesIO(body), request._request.upload_handlers, "utf-8")
        return parser.parse()[0].dict()
    if kind not in ("", "application/x-www-form-urlencoded"):
        return read_object(request)
    try:
        text = read_bytes(request).decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=settings.FORM_FIELDS_LIMIT, errors="strict"))
    except ValueError:
        raise UnreadableJson("the form is not UTF-8, or has too many fields") from None


def _credentials(fields: Mapping[str, Any]) -> tuple[str, str]:
    """Return user id and password. Raises ``Problems`` where one is missing, ``AuthenticationFailed`` if hopeless."""
    problems = Problems()
    reader = Reader(fields, problems)
    userid = reader.text("userid", low=1, high=1 << 30)
    password = reader.text("password", low=1, high=1 << 30)
    problems.raise_any()
    # No account has such; PostgreSQL and the hasher are spared them.
    if len(userid) > 254 or len(password) > 4096 or "\x00" in userid + password:
        raise AuthenticationFailed(_INVALID)
    return userid, password


def _welcome(user: Any, issued: tokens.Issued) -> dict[str, Any]:
    """Return the answer to a login. ``exp`` is in milliseconds since the epoch."""
    userid = user.get_username()
    return {
        "profile": {
            "userid": userid,
            "email": user.email,
            "firstname": user.first_name,
            "lastname": user.last_name,
            "user_attributes": {"user_id": userid},
            "profile_attributes": {
                "firstname": user.first_name,
                "userid": userid,
                "email": user.email,
                "lastname": user.last_name,
            },
        },
        "claims_token": {
            "value": issued.claims,
            "exp": int(issued.expires_at.timestamp()) * 1000,
            "integrity_check_required": False,
        },
        "refresh_token": issued.refresh,
    }
