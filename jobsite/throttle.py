"""Requests of the users of an API, counted once their login is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import rates

if TYPE_CHECKING:
    # The module of views is what loads this one.
    from rest_framework.views import APIView


class UserThrottle(BaseThrottle):
    """The default of every API view; a surface tells the 429 in its own form."""

    _seconds = 0

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count the request; False where its user has to wait."""
        self._seconds = rates.of_user(request.user)
        return not self._seconds

    def wait(self) -> float | None:
        """Return the seconds until the user may send another."""
        return float(self._seconds) or None
