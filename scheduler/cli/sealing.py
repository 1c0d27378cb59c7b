"""Secrets among arguments that travel through files: as asterisks, as what is stored (sealed), or in the clear.

Stored secrets are ``{"encrypted": "…"}``, shown as asterisks. A file may hold either, or the secret itself, which is
sealed when it is stored; nothing here ever gives a secret in the clear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scheduler.job_types import JobType
from scheduler.secret import MASK, Secret, UnreadableSecret, is_sealed


def outgoing(job_type: JobType, stored: Mapping[str, Any], *, sealed: bool) -> dict[str, Any]:
    """Return stored arguments as a file has them, secrets ``sealed`` or as asterisks.

    As the type shows them to people, where it reads that back as the same; else as they are stored.
    """
    shown = job_type.masked(stored)
    whole = _with_seals(shown, stored)
    if job_type.stored(whole) != stored:
        shown, whole = _masked(stored), dict(stored)
    return whole if sealed else shown


def incoming(sent: Any, *, stored: Any) -> Any:
    """Return arguments of a file with the stored ones' seals wherever they say the same secret, or asterisks."""
    if is_sealed(stored):
        return stored if sent == MASK or _revealed(sent) == _revealed(stored) is not None else sent
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        return {name: incoming(value, stored=stored.get(name)) for name, value in sent.items()}
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        return [incoming(value, stored=old) for value, old in zip(sent, stored, strict=True)]
    return sent


def foreign(sent: Any, path: str = "arguments") -> Iterator[str]:
    """Yield the paths of sealed values that were not sealed with a key of ours."""
    if is_sealed(sent):
        if _revealed(sent) is None:
            yield path
    elif isinstance(sent, Mapping):
        for name, value in sent.items():
            yield from foreign(value, f"{path}.{name}")
    elif isinstance(sent, list):
        for place, value in enumerate(sent):
            yield from foreign(value, f"{path}[{place}]")


def _revealed(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if not is_sealed(value):
        return None
    try:
        return Secret(value["encrypted"]).reveal()
    except UnreadableSecret:
        return None


def _with_seals(shown: Any, stored: Any) -> Any:
    if shown == MASK and is_sealed(stored):
        return stored
    if isinstance(shown, Mapping) and isinstance(stored, Mapping):
        return {name: _with_seals(value, stored.get(name)) for name, value in shown.items()}
    if isinstance(shown, list) and isinstance(stored, list) and len(shown) == len(stored):
        return [_with_seals(value, old) for value, old in zip(shown, stored, strict=True)]
    return shown


def _masked(stored: Any) -> Any:
    if is_sealed(stored):
        return MASK
    if isinstance(stored, Mapping):
        return {name: _masked(value) for name, value in stored.items()}
    return [_masked(value) for value in stored] if isinstance(stored, list) else stored
