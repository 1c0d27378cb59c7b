"""There and back: to the provider with a question of this session, and from it with the answer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
import time
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from accounts import audit, second_factor, sign_in
from accounts.oidc import id_token, person, provider
from accounts.oidc.id_token import BadIdToken
from accounts.oidc.person import Refused
from accounts.oidc.provider import ProviderFailed
from accounts.origin import address_of

logger = logging.getLogger(__name__)

_QUESTION = "accounts.oidc"
_QUESTION_SECONDS = 600
_LONGEST_CODE = 8_192


@never_cache
def start(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider; back to the login page where that cannot be asked. 404 where there is none."""
    return _answered(request, _start)


@never_cache
def callback(request: HttpRequest) -> HttpResponse:
    """Take the provider's answer: log in, ask for the second factor, or show the login page and why. 404 as above."""
    return _answered(request, _callback)


def _answered(request: HttpRequest, view: Any) -> HttpResponse:
    if not settings.OIDC_ISSUER:
        raise Http404
    answer: HttpResponse = require_GET(view)(request)
    return answer


def _start(request: HttpRequest) -> HttpResponse:
    try:
        with provider.deadline():
            found = provider.discover()
    except ProviderFailed as error:
        return _failed(request, "the provider does not answer", error)
    question = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
    question["next"] = sign_in.safe(request, request.GET.get("next", ""))
    request.session[_QUESTION] = {**question, "ends": time.time() + _QUESTION_SECONDS}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(question["verifier"].encode()).digest()).rstrip(b"=").decode()
    query = urlencode(
        {
            "response_type": "code",
            "client_id": settings.OIDC_CLIENT_ID,
            "redirect_uri": _redirect_uri(request),
            "scope": " ".join(settings.OIDC_SCOPES),
            "state": question["state"],
            "nonce": question["nonce"],
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
    )
    return HttpResponseRedirect(f"{found.authorization}{'&' if '?' in found.authorization else '?'}{query}")


def _callback(request: HttpRequest) -> HttpResponse:
    # Taken out whatever comes of it: an answer is good once.
    question = request.session.pop(_QUESTION, None)
    state = request.GET.get("state", "")
    if not isinstance(question, dict) or question["ends"] < time.time():
        return _failed(request, "it was not begun here, or took too long", "no question")
    if not hmac.compare_digest(state.encode(errors="replace"), question["state"].encode()):
        return _failed(request, "it was not begun here, or took too long", "another state")
    if "error" in request.GET:
        return _failed(request, "the provider refused it", f"error {request.GET['error'][:100]!r}")
    try:
        with provider.deadline():
            claims, passed = _claims(request, question)
        user = person.account_of(claims)
        person.admit(user, claims)
    except ProviderFailed as error:
        return _failed(request, "the provider does not answer", error)
    except BadIdToken as error:
        _record(request, "", f"ID token: {error}")
        return _failed(request, "the provider's answer is not to be trusted", error)
    except Refused as refusal:
        _record(request, refusal.name, str(refusal))
        return _failed(request, "you have no account here that may enter; ask an administrator", refusal)
    return _enter(request, user, question["next"], passed=settings.OIDC_PROVIDES_MFA and passed)


def _claims(request: HttpRequest, question: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return who the provider says it is, and whether it asked for a second factor, which the ID token alone says.

    Raises ``ProviderFailed`` and ``BadIdToken``.
    """
    found = provider.discover()
    # RFC 9207: an answer that says whose it is must be of this issuer.
    if request.GET.get("iss", found.issuer) != found.issuer:
        raise BadIdToken("the answer is of another issuer")
    code = request.GET.get("code", "")
    if not 0 < len(code) <= _LONGEST_CODE:
        raise BadIdToken("the answer has no code")
    answer = found.exchange(code, verifier=question["verifier"], redirect_uri=_redirect_uri(request))
    claims = id_token.verify(
        answer.get("id_token"),
        keys=found.key_set(),
        issuer=found.issuer,
        client_id=settings.OIDC_CLIENT_ID,
        nonce=question["nonce"],
    )
    access, passed = answer.get("access_token"), person.has_second_factor(claims)
    if person.has_all(claims) or not found.userinfo or not isinstance(access, str):
        return claims, passed
    more = found.claims_of(access)
    if more.get("sub") != claims["sub"]:
        raise BadIdToken("the user's claims are of another subject")
    return person.joined(claims, more), passed


def _enter(request: HttpRequest, user: User, to: str, *, passed: bool) -> HttpResponse:
    if second_factor.is_needed(user) and not passed:
        return HttpResponseRedirect(sign_in.begin(request, user, door="oidc", to=to))
    sign_in.finish(request, user, door="oidc", factor=None)
    if passed:
        request.session[second_factor.MARK] = second_factor.PROVIDER
    return HttpResponseRedirect(to)


def _redirect_uri(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("oidc_callback"))


def _record(request: HttpRequest, name: str, reason: str) -> None:
    audit.record("login.failed", target=name or "unknown account", changes={"door": "oidc", "reason": reason[:300]})


def _failed(request: HttpRequest, told: str, reason: object) -> HttpResponse:
    logger.warning("oidc.failed address=%s reason=%s", address_of(request), reason)
    messages.error(request, f"The sign-in with {settings.OIDC_NAME} failed: {told}.")
    return redirect("admin:login")
