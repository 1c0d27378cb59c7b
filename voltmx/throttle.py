"""Brute force against the login door: attempts are counted per account and per address, and soon cost a wait.

An attempt is counted before the password is looked at and taken back when it was right, so that many at once gain
nothing. Accounts that do not exist are counted like the others: the answer tells nobody which they are.
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
from rest_framework.request import Request

from voltmx.errors import TooManyLogins
from voltmx.models import LoginCounter

# Many people may share one address.
_ADDRESS_FACTOR = 5
_CLEANED_AT_ONCE = 100


def begin(account: str, address: str) -> None:
    """Count an attempt. Raises ``TooManyLogins`` where the account or the address has failed too often lately."""
    limits = (
        (LoginCounter.Scope.ADDRESS, address, settings.VOLTMX_LOGIN_ATTEMPTS * _ADDRESS_FACTOR),
        (LoginCounter.Scope.ACCOUNT, account, settings.VOLTMX_LOGIN_ATTEMPTS),
    )
    for scope, name, limit in limits:
        attempts, seconds = _count(scope, _key(name))
        if attempts > limit:
            raise TooManyLogins(max(1, math.ceil(seconds)))


def succeeded(account: str, address: str) -> None:
    """Forget the account's failures, and the one attempt of the address that was none."""
    LoginCounter.objects.filter(scope=LoginCounter.Scope.ACCOUNT, key=_key(account)).delete()
    LoginCounter.objects.filter(scope=LoginCounter.Scope.ADDRESS, key=_key(address), attempts__gt=0).update(
        attempts=F("attempts") - 1
    )


def address_of(request: Request) -> str:
    """Return the client's address: the peer, or what the trusted proxies in front of us saw."""
    proxies: int = settings.TRUSTED_PROXIES
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
    if proxies and hops:
        return hops[-min(proxies, len(hops))]
    return str(request.META.get("REMOTE_ADDR", ""))


def _count(scope: str, key: str) -> tuple[int, float]:
    """Add one attempt and return how many there are in the window, and the seconds until it ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO voltmx_logincounter AS c (scope, key, attempts, window_ends_at)
            VALUES (%(scope)s, %(key)s, 1, now() + make_interval(secs => %(window)s))
            ON CONFLICT (scope, key) DO UPDATE
               SET attempts = CASE WHEN c.window_ends_at <= now() THEN 1 ELSE least(c.attempts + 1, 1000000) END,
                   window_ends_at = CASE WHEN c.window_ends_at <= now() THEN excluded.window_ends_at
                                         ELSE c.window_ends_at END
            RETURNING attempts, extract(epoch FROM window_ends_at - now())::float, xmax = 0
            """,
            {"scope": scope, "key": key, "window": settings.VOLTMX_LOGIN_WINDOW_SECONDS},
        )
        attempts, seconds, is_new = cursor.fetchone()
    if is_new:
        _clean()
    return attempts, seconds


def _clean() -> None:
    """Delete some windows that ended a while ago, so that the table stays small without anybody minding it."""
    old = LoginCounter.objects.filter(window_ends_at__lt=timezone.now() - timedelta(hours=1))
    LoginCounter.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_CLEANED_AT_ONCE])).delete()


def _key(name: str) -> str:
    text = name.strip().casefold().encode("utf-8", "replace")
    return hmac.new(settings.SECRET_KEY.encode(), text, hashlib.sha256).hexdigest()
