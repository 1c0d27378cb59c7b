"""Who calls: the claims token, sent bare in ``X-VoltMX-Authorization`` (older clients: ``X-Kony-Authorization``).

An API token does as well, as ``Authorization: Bearer …``, where there is no claims token.
"""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import tokens as api_tokens
from accounts.origin import address_of
from voltmx import tokens

HEADERS = ("X-VoltMX-Authorization", "X-Kony-Authorization")


def token_of(request: Request) -> str:
    """Return the token that the request carries, empty if none."""
    return next((value.strip() for name in HEADERS if (value := request.headers.get(name, "")).strip()), "")


class ClaimsAuthentication(BaseAuthentication):
    """Accepts live claims tokens, and API tokens of this surface."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, str] | None:
        """Return user and token, None without a token. Raises ``AuthenticationFailed`` for a bad one."""
        token = token_of(request)
        if not token:
            return self._bearer(request)
        try:
            return tokens.session_of(token, tokens.CLAIMS).user, token
        except tokens.BadToken:
            raise AuthenticationFailed("The X-VoltMX-Authorization token is not valid, or no longer") from None

    def authenticate_header(self, request: Request) -> str:
        """Return what makes DRF answer 401 rather than 403."""
        return HEADERS[0]

    def _bearer(self, request: Request) -> tuple[AbstractBaseUser, str] | None:
        token = api_tokens.bearer_of(request.headers.get("Authorization", ""))
        if token is None:
            return None
        try:
            return api_tokens.user_of(token, surface="voltmx", address=address_of(request._request)), token
        except api_tokens.BadToken:
            raise AuthenticationFailed("The bearer token is not valid, or no longer") from None
