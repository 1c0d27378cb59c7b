"""API tokens at the addresses that belong to no surface: a token of any surface is good there."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from accounts import tokens
from accounts.lockout import LockedOut
from accounts.origin import address_of


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer …``."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, str] | None:
        """Return the token's user, None without a bearer. Raises ``AuthenticationFailed``, ``Throttled``."""
        token = tokens.bearer_of(request.headers.get("Authorization", ""))
        if token is None:
            return None
        try:
            return tokens.user_of(token, surface=None, address=address_of(request._request)), token
        except tokens.BadToken:
            raise AuthenticationFailed("The bearer token is not valid, or no longer") from None
        except LockedOut as refusal:
            raise Throttled(wait=refusal.seconds) from None

    def authenticate_header(self, request: Request) -> str:
        """Return what makes DRF answer 401 rather than 403."""
        return "Bearer"
