"""Brute force: attempts are counted per account and per address, at all doors together, and soon cost a wait.

An attempt is counted before the password is looked at and taken back when it was right, so that many at once gain
nothing. Accounts that do not exist are counted like the others: the answer tells nobody which they are. The counters
are rows, so that every web process sees them and a flushed Redis opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from accounts import audit
from accounts.models import FailedLogins
from accounts.origin import network_of

# Many people may share one address.
ADDRESS_FACTOR = 5
_CLEANED_AT_ONCE = 100
_Scope = FailedLogins.Scope


class LockedOut(Exception):
    """Too many logins failed for this account or from this address; ``seconds`` until the next may be tried."""

    def __init__(self, seconds: int) -> None:
        super().__init__("too many failed logins")
        self.seconds = seconds


def begin(account: str, address: str) -> None:
    """Count an attempt. Raises ``LockedOut`` where the account or the address has failed too often lately."""
    attempts: int = settings.LOGIN_ATTEMPTS
    _within(_Scope.ADDRESS, network_of(address), attempts * ADDRESS_FACTOR)
    _within(_Scope.ACCOUNT, account, attempts)


def succeeded(account: str, address: str) -> None:
    """Forget the account's failures, and the one attempt of the address that was none."""
    _forget(_Scope.ACCOUNT, account, address)


def begin_code(user: str, address: str) -> None:
    """Count an attempt at a user's second factor. Raises ``LockedOut``.

    Kept apart from passwords: whoever has the password could else forgive themselves every wrong code.
    """
    attempts: int = settings.LOGIN_ATTEMPTS
    _within(_Scope.ADDRESS, network_of(address), attempts * ADDRESS_FACTOR)
    _within(_Scope.FACTOR, user, attempts)


def code_succeeded(user: str, address: str) -> None:
    """Forget the wrong codes of the user, and the one attempt of the address that was none."""
    _forget(_Scope.FACTOR, user, address)


def bad_token(address: str) -> None:
    """Count a token that is none. Raises ``LockedOut`` where the address has sent too many; good ones it still may."""
    _within(_Scope.BEARER, network_of(address), settings.LOGIN_ATTEMPTS * ADDRESS_FACTOR)


def _forget(scope: FailedLogins.Scope, name: str, address: str) -> None:
    FailedLogins.objects.filter(scope=scope, key=_key(name)).delete()
    FailedLogins.objects.filter(scope=_Scope.ADDRESS, key=_key(network_of(address)), attempts__gt=0).update(
        attempts=F("attempts") - 1
    )


def _within(scope: FailedLogins.Scope, name: str, limit: int) -> None:
    attempts, seconds = _count(scope, _key(name))
    if attempts > limit:
        if attempts == limit + 1:
            # Once a window: a guesser who goes on must not fill the audit.
            audit.record("login.locked", target=scope.value, changes={"seconds": math.ceil(seconds)})
        raise LockedOut(max(1, math.ceil(seconds)))


def _count(scope: str, key: str) -> tuple[int, float]:
    """Add one attempt and return how many there are in the window, and the seconds until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO accounts_failedlogins AS c (scope, key, attempts, window_ends_at)
            VALUES (%(scope)s, %(key)s, 1, now() + make_interval(secs => %(window)s))
            ON CONFLICT (scope, key) DO UPDATE
               SET attempts = CASE WHEN c.window_ends_at <= now() THEN 1 ELSE least(c.attempts + 1, 1000000) END,
                   window_ends_at = CASE WHEN c.window_ends_at <= now() THEN excluded.window_ends_at
                                         ELSE c.window_ends_at END
            RETURNING attempts, extract(epoch FROM window_ends_at - now())::float, xmax = 0
            """,
            {"scope": scope, "key": key, "window": settings.LOGIN_WINDOW_SECONDS},
        )
        attempts, seconds, is_new = cursor.fetchone()
    if is_new:
        _clean()
    return attempts, seconds


def _clean() -> None:
    """Delete some windows that ended a while ago, so that the table stays small without anybody minding it."""
    old = FailedLogins.objects.filter(window_ends_at__lt=timezone.now() - timedelta(hours=1))
    FailedLogins.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_CLEANED_AT_ONCE])).delete()


def _key(name: str) -> str:
    text = name.strip().casefold().encode("utf-8", "replace")
    return hmac.new(settings.SECRET_KEY.encode(), text, hashlib.sha256).hexdigest()
