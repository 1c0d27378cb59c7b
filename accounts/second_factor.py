"""The use cases of the second factor: is one asked for, is this code right, set one up, do without the app.

What a session has passed is a mark in it: the number of the factor, so that a factor that was removed or replaced ends
what was passed with the old one. The codes of the app are counted in rows, so that all web processes refuse a code that
one of them took.
"""

from __future__ import annotations

import hashlib
import logging
import time
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts import audit, codes, lockout, origin, totp
from accounts.models import RecoveryCode, SecondFactor
from scheduler.secret import Secret, UnreadableSecret

logger = logging.getLogger(__name__)

CODES = 10
# Guessing a code of six digits may go on for years, ten an hour: NIST SP 800-63B, 5.2.2, wants an end at 100.
MOST_FAILURES = 100
# What stands in a session's mark for a factor that the OpenID provider asked for.
PROVIDER = "provider"
MARK = "accounts.second_factor"


class Needed(Exception):
    """The password was right, and is not enough."""

    def __init__(self, user: User) -> None:
        super().__init__("a second factor is needed")
        self.user = user


def is_on() -> bool:
    """Whether there are second factors at all."""
    return bool(settings.MFA != "off")


def factor_of(user: User) -> SecondFactor | None:
    """Return the factor that the user has set up."""
    return SecondFactor.objects.filter(user_id=user.pk).first()


def is_needed(user: User) -> bool:
    """Whether more than a password is asked of this user."""
    return is_on() and (settings.MFA == "required" or factor_of(user) is not None)


def session_user(user: Any, mark: Any) -> Any:
    """Return the user of a session, or nobody where the session has not passed what is asked of that user."""
    if not is_on() or not user.is_authenticated:
        return user
    if mark == PROVIDER and settings.OIDC_PROVIDES_MFA:
        return user
    factor = SecondFactor.objects.filter(user_id=user.pk).values_list("pk", flat=True).first()
    passed = settings.MFA != "required" if factor is None else mark == factor
    return user if passed else AnonymousUser()


def check(factor: SecondFactor, code: str, *, address: str) -> str | None:
    """Return what kind of code this was, "app" or "recovery code", None for a wrong one. Raises ``LockedOut``.

    Counted like passwords, but by themselves: a right password does not forgive wrong codes. A code is good once,
    whoever is first with it.
    """
    name = factor.user.get_username()
    lockout.begin_code(str(factor.user_id), address)
    typed = codes.typed(code)
    kind = "app" if _is_of_app(factor, typed) else "recovery code" if _is_of_paper(factor, typed) else None
    if kind is None:
        SecondFactor.objects.filter(pk=factor.pk).update(failures=F("failures") + 1)
        logger.warning("second_factor.failed user=%s address=%s", factor.user_id, address)
        audit.record("secondfactor.failed", target=name, by=name)
        return None
    lockout.code_succeeded(str(factor.user_id), address)
    SecondFactor.objects.filter(pk=factor.pk).update(failures=0, last_used_at=timezone.now())
    return kind


def is_right_for(seed: Secret, code: str) -> int | None:
    """Return the time step whose code this is for a seed that is being set up; None for a wrong one."""
    return totp.step_of(seed.reveal(), "".join(code.split()), now=time.time())


@transaction.atomic
def make(user: User, seed: Secret, *, step: int) -> tuple[SecondFactor, list[str]] | None:
    """Give the user a factor, whose code of ``step`` is spent, and recovery codes. None where one is there already."""
    # Under a lock on the user: of two at once one makes it.
    User.objects.select_for_update().get(pk=user.pk)
    if factor_of(user) is not None:
        return None
    with origin.acting(user.get_username()):
        factor = SecondFactor(user=user, last_step=step, last_used_at=timezone.now())
        factor.seed = seed
        factor.save()
    return factor, _new_codes(factor)


@transaction.atomic
def renew_codes(factor: SecondFactor) -> list[str]:
    """Return ten new recovery codes; the old ones are worth nothing from now on."""
    SecondFactor.objects.select_for_update().get(pk=factor.pk)
    factor.recovery_codes.all().delete()
    name = factor.user.get_username()
    audit.record("secondfactor.codes_renewed", target=name, by=name)
    return _new_codes(factor)


def _new_codes(factor: SecondFactor) -> list[str]:
    made = [codes.new() for _ in range(CODES)]
    RecoveryCode.objects.bulk_create([RecoveryCode(factor=factor, digest=_digest(code)) for code in made])
    return [codes.grouped(code) for code in made]


def _is_of_app(factor: SecondFactor, code: str) -> bool:
    try:
        step = totp.step_of(factor.seed.reveal(), code, now=time.time())
    except UnreadableSecret:
        logger.error("second_factor.unreadable user=%s: its key is not among ENCRYPTION_KEYS", factor.user_id)
        return False
    if step is None:
        return False
    # The row decides: not after too many wrong ones, and each step once.
    fresh = SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step, failures__lt=MOST_FAILURES)
    return fresh.update(last_step=step) == 1


def _is_of_paper(factor: SecondFactor, code: str) -> bool:
    return RecoveryCode.objects.filter(factor=factor, digest=_digest(code)).delete()[0] == 1


def _digest(code: str) -> str:
    # 80 random bits need no slow hash.
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
