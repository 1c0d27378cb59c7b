"""Who calls: the claims token, sent bare in ``X-VoltMX-Authorization`` (older clients: ``X-Kony-Authorization``)."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from voltmx import tokens

HEADERS = ("X-VoltMX-Authorization", "X-Kony-Authorization")


def token_of(request: Request) -> str:
    """Return the token that the request carries, empty if none."""
    return next((value.strip() for name in HEADERS if (value := request.headers.get(name, "")).strip()), "")


class ClaimsAuthentication(BaseAuthentication):
    """Accepts live claims tokens."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, str] | None:
        """Return user and token, None without a token. Raises ``AuthenticationFailed`` for a bad one."""
        token = token_of(request)
        if not token:
            return None
        try:
            return tokens.session_of(token, tokens.CLAIMS).user, token
        except tokens.BadToken:
            raise AuthenticationFailed("The X-VoltMX-Authorization token is not valid, or no longer") from None

    def authenticate_header(self, request: Request) -> str:
        """Return what makes DRF answer 401 rather than 403."""
        return HEADERS[0]
