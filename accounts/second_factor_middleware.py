"""No session, however it was made, is anybody's until it has passed what is asked of that user."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from accounts import second_factor


class SecondFactorMiddleware:
    """Stands behind Django's own authentication: whatever reads ``request.user`` sees nobody in such a session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if second_factor.is_on():
            found = request.user

            def passed() -> Any:
                return second_factor.session_user(found, request.session.get(second_factor.MARK))

            request.user = SimpleLazyObject(passed)  # type: ignore[assignment]
        return self._get_response(request)
