"""Instants as they travel: ISO-8601 with an offset, in and out, always UTC inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EXPECTED = "an ISO-8601 date and time with an offset or Z, such as 2026-05-01T12:00:00.000Z"


def parse(text: str) -> datetime:
    """Return the instant in UTC. Raises ``ValueError`` unless ``text`` is ISO-8601 with an offset or Z."""
    if len(text) > 40 or "T" not in text.upper():
        raise ValueError(EXPECTED)
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ValueError(text)
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(EXPECTED) from None


def with_milliseconds(instant: datetime) -> str:
    """Return ``2019-09-30T15:58:20.749Z``: three digits always."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{instant.microsecond // 1000:03d}Z"


def shortest(instant: datetime) -> str:
    """Return ``2019-09-23T15:39:15Z``, with milliseconds where they are not zero."""
    return with_milliseconds(instant).replace(".000Z", "Z")


def from_microseconds(microseconds: int) -> str:
    """Return microseconds since 1970 as ``2019-09-30T15:58:20.749Z``."""
    return with_milliseconds(datetime.fromtimestamp(microseconds // 1_000_000, UTC)).replace(
        ".000Z", f".{microseconds % 1_000_000 // 1000:03d}Z"
    )


def milliseconds_between(start: datetime, end: datetime) -> int:
    """Return the milliseconds from ``start`` to ``end`` as the difference of what is shown of both."""
    return _milliseconds(end) - _milliseconds(start)


def _milliseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
