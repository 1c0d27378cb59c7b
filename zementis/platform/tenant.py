"""The one tenant, and who is asking: clients look these up when they log in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from zementis.platform.base import PlatformView, url


class CurrentTenantView(PlatformView):
    """``/tenant/currentTenant``"""

    room = "tenant"

    def get(self, request: Request) -> Response:
        """Return the tenant."""
        data = {
            "name": settings.ZEMENTIS_TENANT,
            "domainName": request._request.get_host(),
            "allowCreateTenants": False,
            "customProperties": {},
            "applications": {"references": []},
            "self": url(request, "/tenant/currentTenant"),
        }
        return self.answer(request, data, kind="currenttenant")


class CurrentUserView(PlatformView):
    """``/user/currentUser``"""

    room = "user"

    def get(self, request: Request) -> Response:
        """Return the user."""
        user = request.user
        data: dict[str, Any] = {
            "id": user.get_username(),
            "userName": user.get_username(),
            "firstName": getattr(user, "first_name", ""),
            "lastName": getattr(user, "last_name", ""),
            "email": getattr(user, "email", ""),
            "effectiveRoles": [],
            "shouldResetPassword": False,
            "self": url(request, "/user/currentUser"),
        }
        return self.answer(request, data, kind="currentuser")
