"""The one way in with a password, whichever door it is typed at."""

from __future__ import annotations

import logging

from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import User
from django.http import HttpRequest

from accounts import audit, lockout
from accounts.origin import address_of

logger = logging.getLogger(__name__)


def enter(request: HttpRequest, *, name: str, password: str, door: str) -> User | None:
    """Return the active user of these credentials, None for wrong ones. Raises ``lockout.LockedOut``.

    Unknown, inactive and known accounts take the same time and give the same answer: Django's backend hashes the
    password for each, and the lock-out counts each.
    """
    address = address_of(request)
    lockout.begin(name, address)
    user = authenticate(request, username=name, password=password)
    if not isinstance(user, User):
        logger.warning("login.failed door=%s address=%s", door, address)
        # What was typed for a name that nobody has may well be a password.
        known = get_user_model().objects.filter(username=name).exists()
        audit.record("login.failed", target=name if known else "unknown account", changes={"door": door})
        return None
    lockout.succeeded(name, address)
    logger.info("login.succeeded user=%s door=%s address=%s", user.pk, door, address)
    return user
