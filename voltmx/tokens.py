"""Claims and refresh tokens: signed, expiring, and worth something only while their session's row is there."""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from voltmx.models import AccountSession

logger = logging.getLogger(__name__)

CLAIMS, REFRESH = "claims", "refresh"
_ALGORITHM = "HS256"
_ISSUER, _AUDIENCE = "jobsite", "voltmx"
_LONGEST_TOKEN = 4096
_CLEANED_AT_ONCE = 100


class BadToken(Exception):
    """A token is forged, expired, revoked, or of the other sort."""


@dataclass(frozen=True)
class Issued:
    """A fresh pair of tokens; ``expires_at`` is the claims token's end (UTC)."""

    claims: str
    refresh: str
    expires_at: datetime


def open_session(user: AbstractBaseUser) -> Issued:
    """Start a session for a user who has just proved who they are, and return its tokens."""
    now = timezone.now()
    stale = AccountSession.objects.filter(expires_at__lt=now).values_list("pk", flat=True)[:_CLEANED_AT_ONCE]
    AccountSession.objects.filter(pk__in=list(stale)).delete()
    session = AccountSession.objects.create(
        user_id=user.pk, fingerprint=_fingerprint(user), expires_at=now + _session_length()
    )
    return _issue(session, now)


def session_of(token: str, sort: str) -> AccountSession:
    """Return the live session of a token, its user loaded. Raises ``BadToken``.

    A session ends with its time, with a logout, when its user is deactivated and when the password changes.
    """
    payload = _payload(token, sort)
    session = AccountSession.objects.select_related("user").filter(pk=payload["sid"]).first()
    if session is None or session.expires_at <= timezone.now():
        raise BadToken("the session is over")
    if not session.user.is_active or session.fingerprint != _fingerprint(session.user):
        raise BadToken("the account has changed")
    return session


def renew(refresh_token: str) -> tuple[AbstractBaseUser, Issued]:
    """Return the user and fresh tokens for a refresh token, whose session begins its time anew. Raises ``BadToken``."""
    session = session_of(refresh_token, REFRESH)
    now = timezone.now()
    if not AccountSession.objects.filter(pk=session.pk).update(expires_at=now + _session_length()):
        raise BadToken("the session is over")
    return session.user, _issue(session, now)


def close_session(token: str) -> AbstractBaseUser:
    """Revoke every token of the session that a token of either sort belongs to, and return whose it was.

    Raises ``BadToken``.
    """
    try:
        session = session_of(token, CLAIMS)
    except BadToken:
        session = session_of(token, REFRESH)
    AccountSession.objects.filter(pk=session.pk).delete()
    logger.info("session.closed user=%s", session.user_id)
    return session.user


def _issue(session: AccountSession, now: datetime) -> Issued:
    expires_at = now + timedelta(seconds=settings.VOLTMX_TOKEN_SECONDS)
    return Issued(
        claims=_token(session, CLAIMS, now, expires_at),
        refresh=_token(session, REFRESH, now, now + _session_length()),
        expires_at=expires_at,
    )


def _token(session: AccountSession, sort: str, now: datetime, expires_at: datetime) -> str:
    payload = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "sub": str(session.user_id),
        "sid": str(session.pk),
        "jti": str(uuid.uuid4()),
        "typ": sort,
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
    }
    return jwt.encode(payload, _key(settings.SECRET_KEY), algorithm=_ALGORITHM)


def _payload(token: str, sort: str) -> dict[str, Any]:
    if not token or len(token) > _LONGEST_TOKEN:
        raise BadToken("no token")
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        try:
            payload: dict[str, Any] = jwt.decode(
                token,
                _key(secret),
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                audience=_AUDIENCE,
                options={"require": ["exp", "iat", "sub", "jti"]},
            )
            if payload.get("typ") != sort:
                raise BadToken("a token of the other sort")
            payload["sid"] = uuid.UUID(str(payload.get("sid")))
            return payload
        except jwt.InvalidSignatureError:
            continue
        except (jwt.PyJWTError, ValueError) as error:
            raise BadToken(type(error).__name__) from None
    raise BadToken("signed with another key")


def _key(secret: str) -> bytes:
    return hashlib.sha256(f"voltmx.tokens:{secret}".encode()).digest()


def _session_length() -> timedelta:
    return timedelta(seconds=settings.VOLTMX_SESSION_SECONDS)


def _fingerprint(user: AbstractBaseUser) -> str:
    """Return a mark of the user's password: it changes with it."""
    return user.get_session_auth_hash()
