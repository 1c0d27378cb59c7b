"""From a right password, or a provider's word, to a session: at once, or after the second factor.

Until the factor is passed nobody is logged in: the session holds who may go on, for ten minutes, and nothing else of
theirs.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme

from accounts import second_factor, totp
from accounts.models import SecondFactor
from scheduler.secret import Secret, UnreadableSecret

PENDING_SECONDS = 600
_PENDING = "accounts.pending"
_SEED = "accounts.seed"
_BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True)
class Pending:
    """Somebody between the two factors: who, until when (seconds since 1970), where to, by which door."""

    user: int
    # Changes with the password, as that of a session does.
    hash: str
    ends: float
    next: str
    door: str


def begin(request: HttpRequest, user: User, *, door: str, to: str) -> str:
    """Note that the first factor was passed, and return where the second one is asked for."""
    # Whoever knows the session's key from before must not go on with it.
    request.session.cycle_key()
    pending = Pending(user.pk, user.get_session_auth_hash(), time.time() + PENDING_SECONDS, safe(request, to), door)
    request.session[_PENDING] = asdict(pending)
    request.session.pop(_SEED, None)
    return reverse("sign_in_code")


def pending(request: HttpRequest) -> tuple[User, Pending] | None:
    """Return who is between the two factors here: None where nobody is, or it took too long, or they may no longer."""
    stored = request.session.get(_PENDING)
    if not isinstance(stored, dict):
        return None
    found = Pending(**stored)
    user = User.objects.filter(pk=found.user, is_active=True, is_staff=True).first()
    if user is None or found.ends < time.time() or not constant_time_compare(found.hash, user.get_session_auth_hash()):
        forget(request)
        return None
    return user, found


def forget(request: HttpRequest) -> None:
    """Drop what was noted of somebody between the two factors."""
    request.session.pop(_PENDING, None)
    request.session.pop(_SEED, None)


def finish(request: HttpRequest, user: User, *, door: str, factor: SecondFactor | None, how: str = "") -> None:
    """Log in. ``factor`` is what was passed beside the first one, ``how`` says by what, for the audit."""
    forget(request)
    request.sign_in = {"door": door, **({"second factor": how} if how else {})}  # type: ignore[attr-defined]
    login(request, user, backend=_BACKEND)
    pass_factor(request, factor)
    if door == "oidc":
        request.session.set_expiry(settings.OIDC_SESSION_SECONDS)


def pass_factor(request: HttpRequest, factor: SecondFactor | None) -> None:
    """Mark the session as one that has passed ``factor``, or none."""
    request.session.pop(second_factor.MARK, None)
    if factor is not None:
        request.session[second_factor.MARK] = factor.pk


def safe(request: HttpRequest, to: str) -> str:
    """Return ``to`` where it leads somewhere on this host, else the console's front page."""
    if url_has_allowed_host_and_scheme(to, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return to
    return reverse("admin:index")


def seed_of(request: HttpRequest) -> Secret:
    """Return the seed that is being set up in this session; a new one where there is none. Kept encrypted."""
    stored = request.session.get(_SEED)
    if isinstance(stored, str):
        secret = Secret(stored)
        try:
            secret.reveal()
            return secret
        except UnreadableSecret:
            # Its key has gone since the page was shown.
            pass
    secret = Secret.of(totp.new_seed())
    request.session[_SEED] = secret.encrypted
    return secret


def forget_seed(request: HttpRequest) -> None:
    """Drop the seed that was being set up."""
    request.session.pop(_SEED, None)
