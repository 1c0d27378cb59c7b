"""Secrets that are kept in rows: encrypted with the keys of the setting ENCRYPTION_KEYS, shown as asterisks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

MASK = "********"
# How every Fernet token of this century begins: arguments may have a member of their own that is named "encrypted".
_TOKEN = "gAAAA"  # noqa: S105 - the beginning of all of them


class UnreadableSecret(Exception):
    """A stored secret was encrypted with a key that is no longer among ENCRYPTION_KEYS."""


@dataclass(frozen=True)
class Secret:
    """A secret as it is stored. Neither its text form nor its ``repr`` gives it away."""

    encrypted: str

    @classmethod
    def of(cls, plain: str) -> Secret:
        """Return ``plain`` encrypted with the first key."""
        return cls(_fernet(tuple(settings.ENCRYPTION_KEYS)).encrypt(plain.encode()).decode())

    def reveal(self) -> str:
        """Return the secret itself. Raises ``UnreadableSecret``."""
        try:
            return _fernet(tuple(settings.ENCRYPTION_KEYS)).decrypt(self.encrypted.encode()).decode()
        except InvalidToken:
            raise UnreadableSecret("a stored secret was encrypted with a key that is gone") from None

    def rotated(self) -> Secret:
        """Return the same secret encrypted with the first key: itself where it is so. Raises ``UnreadableSecret``."""
        with suppress(InvalidToken):
            _fernet(tuple(settings.ENCRYPTION_KEYS[:1])).decrypt(self.encrypted.encode())
            return self
        try:
            return Secret(_fernet(tuple(settings.ENCRYPTION_KEYS)).rotate(self.encrypted.encode()).decode())
        except InvalidToken:
            raise UnreadableSecret("a stored secret was encrypted with a key that is gone") from None

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK})"


def is_sealed(value: Any) -> bool:
    """Whether a value among arguments is a secret as it is stored."""
    if not isinstance(value, Mapping) or value.keys() != {"encrypted"}:
        return False
    text = value["encrypted"]
    return isinstance(text, str) and text.startswith(_TOKEN)


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
