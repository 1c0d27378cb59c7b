"""The pages of the second factor: asked for at the login, set up, and looked after."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import segno
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods
from unfold.widgets import BASE_INPUT_CLASSES

from accounts import enrolment, second_factor, sign_in, totp
from accounts.lockout import LockedOut
from accounts.models import SecondFactor
from accounts.origin import address_of

View = Callable[[HttpRequest], HttpResponse]
_WRONG = "This code is wrong, or was used before. Wait for the next one."


def _input(**more: str) -> forms.TextInput:
    plain = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    return forms.TextInput(attrs={**plain, "class": " ".join(BASE_INPUT_CLASSES), **more})


class CodeForm(forms.Form):
    """A code, of the app or of the recovery codes."""

    code = forms.CharField(max_length=40, widget=_input(autocomplete="one-time-code", autofocus=""))


class EnrolmentForm(CodeForm):
    """A code of the app that is set up, and the one with which an administrator lets its owner do so."""

    enrolment = forms.CharField(max_length=40, label="Enrolment code, from an administrator", widget=_input())


def _page(view: View) -> View:
    """Serve a page of the second factor where there are second factors, never from a cache."""

    @wraps(view)
    @never_cache
    @csrf_protect
    def served(request: HttpRequest) -> HttpResponse:
        if not second_factor.is_on():
            raise Http404
        return require_http_methods(["GET", "HEAD", "POST"])(view)(request)

    return served


@_page
def code(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor of whoever has passed the first one; where they have none, it is set up here."""
    found = sign_in.pending(request)
    if found is None:
        return redirect("admin:login")
    user, pending = found
    factor = second_factor.factor_of(user)
    if factor is None:
        return _set_up_at_login(request, user, pending)
    form = CodeForm(request.POST if request.method == "POST" else None)
    refused = None
    if form.is_valid():
        how, refused = _checked(request, factor, form)
        if how:
            sign_in.finish(request, user, door=pending.door, factor=factor, how=how)
            return HttpResponseRedirect(pending.next)
    response = _answer(request, "accounts/second_factor_code.html", {"title": "Second factor", "form": form})
    return _locked(response, refused)


def _set_up_at_login(request: HttpRequest, user: User, pending: sign_in.Pending) -> HttpResponse:
    form, made, refused = _set_up(request, user)
    if made is None:
        page = _answer(request, "accounts/second_factor_login.html", _setting_up(request, user, form))
        return _locked(page, refused)
    factor, codes = made
    sign_in.finish(request, user, door=pending.door, factor=factor, how="app")
    return _answer(
        request, "accounts/second_factor_codes.html", {"title": "Recovery codes", "codes": codes, "to": pending.next}
    )


@_page
def manage(request: HttpRequest) -> HttpResponse:
    """Show what the user has; set one up, make new recovery codes, or remove it, the latter two against a code."""
    user = request.user
    if not admin.site.has_permission(request) or not isinstance(user, User):
        return redirect("admin:login")
    factor = second_factor.factor_of(user)
    if factor is None:
        form, made, refused = _set_up(request, user)
        if made is None:
            page = _answer(request, "accounts/second_factor.html", _setting_up(request, user, form))
            return _locked(page, refused)
        sign_in.pass_factor(request, made[0])
        return _codes(request, made[1])
    form = CodeForm(request.POST if request.method == "POST" else None)
    refused = None
    if form.is_valid():
        how, refused = _checked(request, factor, form)
        if how and request.POST.get("do") == "remove":
            factor.delete()
            if enrolment.is_needed():
                # Whoever may remove it may set up the next one: nobody else could give a sole administrator a code.
                code = enrolment.issue(user, hours=1)
                return _answer(
                    request,
                    "accounts/second_factor_enrolment.html",
                    {"title": "The second factor was removed", "code": code, "to": reverse("second_factor")},
                )
            messages.success(request, "The second factor was removed.")
            return redirect("admin:index")
        if how:
            return _codes(request, second_factor.renew_codes(factor))
    left = factor.recovery_codes.count()
    context = {"title": "Second factor", "form": form, "factor": factor, "left": left, "mode": settings.MFA}
    return _locked(_answer(request, "accounts/second_factor.html", context), refused)


def _set_up(request: HttpRequest, user: User) -> tuple[CodeForm, tuple[SecondFactor, list[str]] | None, int | None]:
    """Return the form, the factor with its recovery codes once a code of the new app was right, the seconds to wait."""
    kind = EnrolmentForm if enrolment.is_needed() else CodeForm
    form = kind(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return form, None, None
    seed = sign_in.seed_of(request)
    step = second_factor.is_right_for(seed, form.cleaned_data["code"])
    if step is None:
        form.add_error("code", "This code is wrong. Is the phone's clock right?")
        return form, None, None
    if enrolment.is_needed():
        refused = _not_let(request, user, form)
        if form.errors:
            return form, None, refused
    with transaction.atomic():
        made = second_factor.make(user, seed, step=step)
    sign_in.forget_seed(request)
    if made is None:
        form.add_error(None, "A second factor was set up meanwhile.")
    return form, made, None


def _not_let(request: HttpRequest, user: User, form: CodeForm) -> int | None:
    """Take the enrolment code; where it is none, tell the form, and return the seconds to wait after too many."""
    try:
        if not enrolment.spend(user, form.cleaned_data["enrolment"], address=address_of(request)):
            form.add_error("enrolment", "This code is wrong, over, or was used before. An administrator makes them.")
    except LockedOut as refusal:
        form.add_error("enrolment", f"Too many wrong codes; try again in {refusal.seconds} seconds.")
        return refusal.seconds
    return None


def _setting_up(request: HttpRequest, user: User, form: CodeForm) -> dict[str, Any]:
    seed = sign_in.seed_of(request).reveal()
    address = totp.address_of(seed, account=user.get_username(), issuer=f"Jobsite {request.get_host()}")
    grouped = " ".join(seed[place : place + 4] for place in range(0, len(seed), 4))
    return {"title": "Set up a second factor", "form": form, "picture": _picture(address), "seed": grouped}


def _picture(address: str) -> SafeString:
    """Return the QR code as SVG in the page: nothing is fetched, and no style attribute is needed."""
    drawn = segno.make(address, error="m").svg_inline(
        scale=4, border=4, dark="#000", light="#fff", omitsize=True, svgclass=None, lineclass=None, title="QR code"
    )
    # Drawn from modules alone: nothing of the address is in it as text.
    return mark_safe(drawn)  # noqa: S308 - see above  # nosec B703 B308


def _checked(request: HttpRequest, factor: SecondFactor, form: CodeForm) -> tuple[str | None, int | None]:
    """Return what kind of code it was, and the seconds to wait where it was not even looked at."""
    try:
        how = second_factor.check(factor, form.cleaned_data["code"], address=address_of(request))
    except LockedOut as refusal:
        form.add_error("code", f"Too many wrong codes; try again in {refusal.seconds} seconds.")
        return None, refusal.seconds
    if how is None:
        form.add_error("code", _WRONG)
    return how, None


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    context = {"title": "Recovery codes", "codes": codes, "to": sign_in.safe(request, "")}
    return _answer(request, "accounts/second_factor_codes.html", context)


def _answer(request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def _locked(response: HttpResponse, seconds: int | None) -> HttpResponse:
    if seconds:
        response.status_code = 429
        response["Retry-After"] = str(seconds)
    return response
