"""Whose account it is that somebody at the provider may use, and which role the provider gives them."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import origin
from accounts.models import Identity
from accounts.roles import Role

logger = logging.getLogger(__name__)

_MOST_VALUES = 10_000
_ADDRESS = ("email", "email_verified")


class Refused(Exception):
    """Somebody whom the provider knows may not sign in here. ``name`` is the account's, where there is one."""

    def __init__(self, reason: str, *, name: str = "") -> None:
        super().__init__(reason)
        self.name = name


@transaction.atomic
def account_of(claims: dict[str, Any]) -> User:
    """Return the active account of the console's staff that these claims are of, with the role that they give.

    Known by issuer and subject. At the first time an account with the same verified address is taken, or a new one is
    made, as far as OIDC_ACCOUNTS says. Raises ``Refused``; what was found of roles is kept then too.
    """
    role = _role(claims)
    known = Identity.objects.select_related("user").filter(issuer=claims["iss"], subject=claims["sub"]).first()
    user = known.user if known is not None else _first_time(claims, role)
    if known is not None and settings.OIDC_ROLES:
        with origin.acting(user.get_username()):
            _give(user, role)
    return user


def admit(user: User, claims: dict[str, Any]) -> None:
    """Note the use. Raises ``Refused`` where the account may not enter the console, or has no role of the provider."""
    name = user.get_username()
    if not user.is_active:
        raise Refused("the account is not active", name=name)
    if not user.is_staff:
        raise Refused("the account is not of the staff", name=name)
    if settings.OIDC_ROLES and _role(claims) is None:
        raise Refused("the provider gives no role", name=name)
    Identity.objects.filter(issuer=claims["iss"], subject=claims["sub"]).update(last_used_at=timezone.now())


def has_all(claims: dict[str, Any]) -> bool:
    """Whether the claims tell all that is asked of them, so that the provider need not be asked for more."""
    return _tells_address(claims) and (not settings.OIDC_ROLES or _values(claims) is not None)


def joined(claims: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Return the ID token's claims, and those of the same subject's user info that it does not tell.

    The address and that it is verified come from one of the two: what one verified is not what the other names.
    """
    found = {**more, **claims}
    source = claims if _tells_address(claims) else more
    return {name: value for name, value in found.items() if name not in _ADDRESS} | {
        name: source[name] for name in _ADDRESS if name in source
    }


def has_second_factor(claims: dict[str, Any]) -> bool:
    """Whether an ID token says that the provider asked for a second factor: RFC 8176, OpenID Connect Core 1.0, 2."""
    methods, level = claims.get("amr"), claims.get("acr")
    told = [*(methods if isinstance(methods, list) else []), level]
    return any(isinstance(word, str) and word in settings.OIDC_MFA_WORDS for word in told)


def _tells_address(claims: dict[str, Any]) -> bool:
    return all(name in claims for name in _ADDRESS)


def _first_time(claims: dict[str, Any], role: Role | None) -> User:
    if settings.OIDC_ACCOUNTS == "linked":
        raise Refused("no account is linked with this subject")
    if settings.OIDC_ROLES and role is None:
        raise Refused("the provider gives no role")
    email = _verified_email(claims)
    user = _match(email)
    if user is None and settings.OIDC_ACCOUNTS == "created":
        user = _create(claims, email)
    if user is None:
        raise Refused("no account has this address")
    try:
        with transaction.atomic(), origin.acting(user.get_username()):
            Identity.objects.create(user=user, issuer=claims["iss"], subject=claims["sub"])
    except IntegrityError:
        raise Refused("the account is linked with another subject", name=user.get_username()) from None
    if settings.OIDC_ROLES:
        with origin.acting(user.get_username()):
            _give(user, role)
    return user


def _verified_email(claims: dict[str, Any]) -> str:
    email = claims.get("email")
    # A provider that lets people claim any address would let them claim an account.
    if not isinstance(email, str) or claims.get("email_verified") is not True:
        raise Refused("the provider has not verified an address")
    try:
        validate_email(email)
    except ValidationError:
        raise Refused("the address is none") from None
    return email


def _match(email: str) -> User | None:
    if not email.isascii():
        # Some letters are those of another address once case is left out: a dotless i is an I to some databases.
        return None
    found = list(User.objects.filter(email__iexact=email).order_by("pk")[:2])
    if len(found) > 1:
        raise Refused("more than one account has this address")
    if found and found[0].is_superuser:
        # Not by what the provider says of an address: `manage.py sign_in link` does it.
        raise Refused("a superuser is linked by hand alone", name=found[0].get_username())
    if found and not (found[0].is_active and found[0].is_staff):
        raise Refused("the account is not active, or not of the staff", name=found[0].get_username())
    return found[0] if found else None


def _create(claims: dict[str, Any], email: str) -> User:
    digest = hashlib.sha256(f"{claims['iss']}\n{claims['sub']}".encode()).hexdigest()[:16]
    for name in (claims.get("preferred_username"), email, f"oidc-{digest}"):
        if not isinstance(name, str) or not _is_free(name):
            continue
        try:
            with transaction.atomic(), origin.acting(name):
                # Without a password of its own: no other door opens.
                user = User.objects.create_user(name, email, None, is_staff=True)
        except IntegrityError:
            continue
        logger.info("oidc.created user=%s", user.pk)
        return user
    raise Refused("no name is left for an account")


def _is_free(name: str) -> bool:
    try:
        UnicodeUsernameValidator()(name)
    except ValidationError:
        return False
    return len(name) <= 150 and not User.objects.filter(username__iexact=name).exists()


def _role(claims: dict[str, Any]) -> Role | None:
    """Return the highest role that the claim names; None for none of them."""
    values = _values(claims) or []
    given = {settings.OIDC_ROLES.get(value) for value in values[:_MOST_VALUES] if isinstance(value, str)}
    return max((role for role in Role if role.value in given), key=list(Role).index, default=None)


def _values(claims: dict[str, Any]) -> list[Any] | None:
    """Return the claim's values: under its whole name, or step by step where the name has dots. None: not there."""
    name: str = settings.OIDC_ROLES_CLAIM
    found: Any = claims.get(name)
    if found is None:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, str):
        return [found]
    return found if isinstance(found, list) else None


def _give(user: User, role: Role | None) -> None:
    """Make the user hold this one of the four roles; groups beside them stay."""
    held = set(user.groups.filter(name__in=list(Role)).values_list("name", flat=True))
    wanted = {role.value} if role is not None else set()
    user.groups.remove(*Group.objects.filter(name__in=held - wanted))
    user.groups.add(*Group.objects.filter(name__in=wanted - held))
