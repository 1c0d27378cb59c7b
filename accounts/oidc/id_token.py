"""Whether an ID token is what it says: OpenID Connect Core 1.0, section 3.1.3.7, the signature always looked at."""

from __future__ import annotations

import hmac
from typing import Any

import jwt

# Asymmetric ones alone: a client's secret signs nothing, and "none" is no signature.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
# By the first letter of what they are for.
_KEY_TYPES = {"R": "RSA", "P": "RSA", "E": "EC"}
# How far two clocks may be apart.
_LEEWAY_SECONDS = 60
_REQUIRED = ["iss", "sub", "aud", "exp", "iat", "nonce"]
_LONGEST_SUBJECT = 255


class BadIdToken(Exception):
    """The token is forged, over, of another issuer, for somebody else, or not the answer to this question."""


def verify(token: Any, *, keys: dict[str, Any], issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """Return the claims of a token that one of the ``keys`` (a JSON web key set) signed. Raises ``BadIdToken``."""
    if not isinstance(token, str):
        raise BadIdToken("there is none")
    try:
        header = jwt.get_unverified_header(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            _key(keys, header),
            algorithms=list(ALGORITHMS),
            audience=client_id,
            issuer=issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": _REQUIRED},
        )
    except jwt.PyJWTError as error:
        raise BadIdToken(f"{type(error).__name__}: {error}") from None
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadIdToken(f"it cannot be read: {type(error).__name__}") from None
    _check(claims, client_id=client_id, nonce=nonce)
    return claims


def _check(claims: dict[str, Any], *, client_id: str, nonce: str) -> None:
    """Check what the library leaves to its caller."""
    if not hmac.compare_digest(str(claims["nonce"]).encode(errors="replace"), nonce.encode()):
        raise BadIdToken("its nonce is another")
    audience, party = claims["aud"], claims.get("azp")
    if (isinstance(audience, list) and len(audience) > 1 and party is None) or party not in (None, client_id):
        raise BadIdToken("it was made for another client")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or "\x00" in subject:
        raise BadIdToken("its subject is none")


def _key(keys: dict[str, Any], header: dict[str, Any]) -> jwt.PyJWK:
    """Return the key that the token names; where it names none, the only one that fits."""
    algorithm, name = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise BadIdToken("it is signed by no algorithm that counts")
    fitting = [
        key
        for key in keys["keys"]
        if key.get("kty") == _KEY_TYPES[algorithm[0]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and name in (None, key.get("kid"))
    ]
    if len(fitting) != 1:
        raise BadIdToken("no key of the provider's is the one that it names")
    # The library takes a key without an algorithm for one of RS256 alone.
    return jwt.PyJWK(fitting[0], algorithm=algorithm)
