"""What production refuses to start with: the defaults of development, weak secrets, names that stand for many."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from jobsite.environment import Environment

DEVELOPMENT_SECRET = "development-only-secret-of-jobsite-never-to-be-used-where-others-can-reach-it"  # noqa: S105 - refused below
# A name, an IPv4 address, or an IPv6 address in brackets. One that begins with a dot would be a wildcard.
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_.])?|\[[0-9a-f:.]{2,45}\]", re.IGNORECASE)
_NEEDED = ("DATABASE_URL", "CELERY_BROKER_URL", "ENCRYPTION_KEYS")
_SHORTEST, _FEWEST_CHARACTERS, _FEWEST_BYTES = 50, 5, 12


def check(
    env: Environment,
    *,
    debug: bool,
    secrets: Mapping[str, Sequence[str]],
    keys: Sequence[str],
    hosts: Sequence[str],
    origins: Sequence[str],
) -> None:
    """Raise ``ImproperlyConfigured``, which names the variable, for what production must not run with."""
    if debug:
        raise ImproperlyConfigured("DEBUG: must be off in production.")
    for name, values in secrets.items():
        if any(_weak(value) for value in values):
            # A former secret still signs whatever whoever knows it likes.
            each = "a secret" if name == "SECRET_KEY" else "secrets"
            raise ImproperlyConfigured(
                f"{name}: production needs {each} of its own, {_SHORTEST} random characters or more."
            )
    if not hosts or not all(_HOST.fullmatch(host) for host in hosts):
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS: production needs the host names it answers to, without wildcards such as * or .example.org."
        )
    if any("*" in origin for origin in origins):
        raise ImproperlyConfigured("CSRF_TRUSTED_ORIGINS: production takes no wildcards.")
    for name in _NEEDED:
        if not env.has(name):
            raise ImproperlyConfigured(f"{name}: production has no default for it.")
    # Of 32 random bytes, hardly ever are fewer than 24 different.
    if any(len(set(base64.urlsafe_b64decode(key))) < _FEWEST_BYTES for key in keys):
        raise ImproperlyConfigured("ENCRYPTION_KEYS: production needs random keys.")


def _weak(secret: str) -> bool:
    known = secret == DEVELOPMENT_SECRET or secret.startswith("django-insecure-")
    return known or len(secret) < _SHORTEST or len(set(secret)) < _FEWEST_CHARACTERS


def check_provider(issuer: str, *, client: str, accounts: str, roles: Mapping[str, str], at_home: bool) -> None:
    """Raise ``ImproperlyConfigured`` for settings of an OpenID provider that do not go together.

    ``at_home``: whether it may be on this machine, without TLS.
    """
    parts = urlsplit(issuer)
    if parts.scheme == "http" and not (at_home and parts.hostname in {"localhost", "127.0.0.1", "::1"}):
        raise ImproperlyConfigured("OIDC_ISSUER: expected https://; http:// is for this machine in development.")
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ImproperlyConfigured("OIDC_ISSUER: expected a URL without user, query and fragment.")
    if not client:
        raise ImproperlyConfigured("OIDC_CLIENT_ID: OIDC_ISSUER needs it.")
    if accounts == "created" and not roles:
        raise ImproperlyConfigured("OIDC_ROLES: OIDC_ACCOUNTS=created needs it; a new account could else do nothing.")
