"""The console's login page: tells a client that is locked out by status and Retry-After too, and knows other ways."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from accounts import second_factor, sign_in


@never_cache
@csrf_protect
def login(request: HttpRequest) -> HttpResponse:
    """Return what the admin's own page returns; 429 where too many logins failed.

    Where the password is not enough, nobody is logged in, and the second factor is asked for.
    """
    to = str(request.POST.get("next", "") or request.GET.get("next", ""))
    try:
        response = admin.site.login(request, extra_context=_provider(request, to))
    except second_factor.Needed as needed:
        return HttpResponseRedirect(sign_in.begin(request, needed.user, door="console", to=to))
    context = response.context_data if isinstance(response, TemplateResponse) else None
    seconds = getattr((context or {}).get("form"), "locked_for", None)
    if seconds:
        response.status_code = 429
        response["Retry-After"] = str(seconds)
    return response


def _provider(request: HttpRequest, to: str) -> dict[str, str]:
    """Return what the page needs for its other button; nothing where there is no provider."""
    if not settings.OIDC_ISSUER:
        return {}
    query = urlencode({"next": sign_in.safe(request, to)})
    return {"provider_name": settings.OIDC_NAME, "provider_address": f"{reverse('oidc_start')}?{query}"}
