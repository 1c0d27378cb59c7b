"""What of a run is kept: the four history strategies, as pure rules.

The meaning comes from the Volt MX Foundry reference ("historyStrategy") and holds for every kind of job:
OFF shows nothing, MINIMAL a row without payload, ERROR the payload of failed runs only, FULL every payload.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Strategy(StrEnum):
    """The history strategies by their wire names."""

    OFF = "OFF"
    MINIMAL = "MINIMAL"
    ERROR = "ERROR"
    FULL = "FULL"


@dataclass(frozen=True)
class Kept:
    """What history keeps of one run: whether its row is shown, and whether its payload is stored."""

    visible: bool
    payload: bool


def kept(strategy: str, *, failed: bool) -> Kept:
    """Return what ``strategy`` keeps of a run that ``failed`` or not."""
    chosen = Strategy(strategy)
    return Kept(
        visible=chosen is not Strategy.OFF,
        payload=chosen is Strategy.FULL or (chosen is Strategy.ERROR and failed),
    )


@dataclass(frozen=True)
class Capped:
    """A payload as it is stored: JSON text of at most the limit, and whether something was cut off."""

    text: str | None
    truncated: bool


def capped(payload: Any, *, limit: int) -> Capped:
    """Return ``payload`` as JSON text of at most ``limit`` bytes of UTF-8.

    A payload within the limit comes back as the JSON it is. A longer one is cut at a character boundary and stored as
    a JSON string of its beginning, so that what is stored is always valid JSON.
    """
    if payload is None:
        return Capped(None, False)
    # PostgreSQL's jsonb cannot hold U+0000; NaN and Infinity are no JSON.
    text = json.dumps(_storable(payload), ensure_ascii=False, separators=(",", ":"), default=str)
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit:
        return Capped(text, False)
    beginning = encoded[:limit].decode("utf-8", "ignore")
    return Capped(json.dumps(beginning, ensure_ascii=False), True)


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, dict):
        return {str(_storable(str(key))): _storable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(item) for item in value]
    return value
