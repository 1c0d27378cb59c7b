"""The console's login page, which tells a client that is locked out so by status and Retry-After too."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.csrf import csrf_protect


@csrf_protect
def login(request: HttpRequest) -> HttpResponse:
    """Return what the admin's own page returns; 429 where too many logins failed."""
    response = admin.site.login(request)
    context = response.context_data if isinstance(response, TemplateResponse) else None
    seconds = getattr((context or {}).get("form"), "locked_for", None)
    if seconds:
        response.status_code = 429
        response["Retry-After"] = str(seconds)
    return response
