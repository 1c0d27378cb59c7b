"""Who may set up a second factor: whoever knows the password, or, where MFA_ENROLMENT says so, has a code for it too.

With the password alone, whoever has stolen one of an account without a factor makes the second factor theirs.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from accounts import audit, codes, lockout
from accounts.models import Enrolment


def is_needed() -> bool:
    """Whether a code is asked for."""
    return bool(settings.MFA_ENROLMENT == "code")


@transaction.atomic
def issue(user: User, *, hours: int) -> str:
    """Return a new code for the user, good once within ``hours``; the one before it is worth nothing from now on."""
    code = codes.new()
    expires_at = timezone.now() + timedelta(hours=hours)
    Enrolment.objects.update_or_create(user=user, defaults={"digest": _digest(code), "expires_at": expires_at})
    audit.record("secondfactor.enrolment_issued", target=user.get_username(), changes={"hours": hours})
    return codes.grouped(code)


def spend(user: User, code: str, *, address: str) -> bool:
    """Take the user's code, once. Raises ``lockout.LockedOut``: it is counted like codes of the factor."""
    lockout.begin_code(str(user.pk), address)
    found = Enrolment.objects.filter(user=user, digest=_digest(codes.typed(code)), expires_at__gt=timezone.now())
    if not found.delete()[0]:
        audit.record("secondfactor.enrolment_failed", target=user.get_username(), by=user.get_username())
        return False
    lockout.code_succeeded(str(user.pk), address)
    return True


def _digest(code: str) -> str:
    # 80 random bits need no slow hash.
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
