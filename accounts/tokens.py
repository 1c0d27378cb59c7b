"""The use cases of API tokens: issue, look up, revoke. A token is 256 random bits, of which a hash is stored."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from accounts import lockout
from accounts.models import ApiToken, TokenUser
from accounts.roles import Role

logger = logging.getLogger(__name__)

_MARK = "jst_"
_LONGEST = 128
_SHOWN = 12
_USE_WRITTEN_EVERY = timedelta(minutes=1)


class BadToken(Exception):
    """The token is unknown, expired, revoked, of another surface, or its owner is not active."""


def new(token: ApiToken) -> str:
    """Give an unsaved token its secret, and return that; it can never be had again."""
    secret = _MARK + secrets.token_urlsafe(32)
    token.prefix, token.digest = secret[:_SHOWN], _digest(secret)
    return secret


def issue(
    name: str, *, owner: User, role: Role, surface: str = "any", expires_at: datetime, by: str
) -> tuple[ApiToken, str]:
    """Return a new token and its secret. Raises Django's ``ValidationError``."""
    token = ApiToken(
        name=name, owner=owner, role=role.value, surface=surface, expires_at=expires_at, created_by=by[:150]
    )
    secret = new(token)
    token.full_clean()
    token.save()
    logger.info("token.created token=%s owner=%s by=%r", token.prefix, owner.pk, by)
    return token, secret


def user_of(secret: str, *, surface: str | None, address: str) -> TokenUser:
    """Return the owner of a token, under its role. ``surface`` None takes tokens of any.

    Raises ``BadToken``, and ``lockout.LockedOut`` where the address has sent too many that were none.
    """
    digest = _digest(secret) if 0 < len(secret) <= _LONGEST else ""
    found = ApiToken.objects.select_related("owner").filter(digest=digest).first() if digest else None
    if found is None or not hmac.compare_digest(found.digest, digest):
        lockout.bad_token(address)
        raise BadToken("unknown")
    if not found.live:
        raise BadToken("over")
    if surface is not None and found.surface not in (surface, ApiToken.Surface.ANY):
        raise BadToken("of another surface")
    _used(found)
    return TokenUser.of(found)


def revoke(token: ApiToken) -> bool:
    """Refuse a token from now on. Return False where it was revoked already."""
    if token.revoked_at is not None:
        return False
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    logger.info("token.revoked token=%s", token.prefix)
    return True


def bearer_of(header: str) -> str | None:
    """Return the token of an ``Authorization`` header, None where its scheme is another."""
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else None


def _used(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - _USE_WRITTEN_EVERY:
        return
    # The row decides: of several requests in one minute one writes.
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - _USE_WRITTEN_EVERY)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
