"""What an execution says about itself, kept short enough to be stored whole."""

from __future__ import annotations

import json

from django.conf import settings

_MOST = 2_000


class Messages:
    """Sentences in the order they came. What does not fit is counted instead of kept."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._left_out = 0
        # The core cuts what is longer than its limit; a list that was cut would not be a list any more.
        self._bytes_left = settings.SCHEDULER_PAYLOAD_LIMIT_BYTES - 200

    def add(self, sentence: str) -> None:
        """Add a sentence."""
        cost = len(json.dumps(sentence, ensure_ascii=False).encode("utf-8", "replace")) + 1
        if len(self._kept) >= _MOST or cost > self._bytes_left:
            self._left_out += 1
            return
        self._kept.append(sentence)
        self._bytes_left -= cost

    def all(self) -> tuple[str, ...]:
        """Return them, the last one telling how many were left out."""
        if not self._left_out:
            return tuple(self._kept)
        return (*self._kept, f"{self._left_out} more messages were left out.")


def no_target(identifier: int) -> str:
    """The sentence for an id that is neither a device nor a group."""
    return f"Device or group with id {identifier} does not exist or it is invalid"


def silent(device: int) -> str:
    """The sentence for a device without a measurement in the range."""
    return f"The device {device} was not active or sending any measurements during the time specified for data range"


def incomplete(device: int, *, rows: int) -> str:
    """The sentence for rows that a model without a rule for missing values cannot take."""
    what = "1 row was" if rows == 1 else f"{rows} rows were"
    return f"{what} left out for the device {device}: not every model input had been seen by then"
