"""The audit: deeds written with what they tell, and sealed into one chain of hashes right after their commit.

Writing takes no lock, so that nobody's edit waits for another's. Sealing takes one, in a short transaction of its own,
and seals whatever is committed and unsealed: what a killed process left is sealed by the next. A row's hash is
SHA-256 over ``number``, the previous row's hash and the row's ``record``, with line feeds between them, as UTF-8; the
first row's previous hash is 64 zeros.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.utils import timezone

from accounts import origin
from accounts.models import AuditEntry

logger = logging.getLogger(__name__)

START = "0" * 64
# Of the advisory lock that makes the chain one.
LOCK = 0x6175646974
_AT_ONCE = 1000
_LARGEST_RECORD = 65_536


def record(
    action: str, *, target: str = "", changes: Mapping[str, Any] | None = None, by: str | None = None
) -> AuditEntry:
    """Write a deed of whoever's request is under way, and have it sealed once it is committed.

    ``action`` is a noun, a dot and a past participle; ``changes`` is JSON-ready with secrets masked: field ->
    [before, after], or what else tells the deed. ``by`` names the author where the caller knows better.
    """
    now, here = timezone.now(), origin.current()
    fields: dict[str, Any] = {
        "at": now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "by": _plain(here.by if by is None else by, 254),
        "via": here.via,
        "address": here.address,
        "request_id": here.request_id,
        "action": action,
        "target": _plain(target, 254),
        "changes": dict(changes or {}),
    }
    text = canonical(fields)
    if len(text) > _LARGEST_RECORD:
        fields["changes"] = {"too large; fields": sorted(map(str, fields["changes"]))[:200]}
        text = canonical(fields)
    entry = AuditEntry.objects.create(
        at=now, by=fields["by"], address=here.address, action=action, target=fields["target"], record=text
    )
    transaction.on_commit(seal, robust=True)
    return entry


def seal() -> int:
    """Give every committed row that has none its place in the chain, and return how many there were."""
    sealed = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            rows = list(
                AuditEntry.objects.filter(number__isnull=True).order_by("id").values_list("id", "record")[:_AT_ONCE]
            )
            if rows:
                number, last = head()
                cursor.executemany(
                    "UPDATE accounts_auditentry SET number = %s, hash = %s WHERE id = %s",
                    list(_links(number, last, rows)),
                )
        sealed += len(rows)
        if len(rows) < _AT_ONCE:
            return sealed


def head() -> tuple[int, str]:
    """Return number and hash of the newest sealed row; whoever notes them elsewhere can tell a cut-off end later."""
    found = AuditEntry.objects.filter(number__isnull=False).order_by("-number").values_list("number", "hash").first()
    return (found[0] or 0, found[1]) if found else (0, START)


def link(number: int, previous: str, text: str) -> str:
    """Return the hash of the row ``number`` with the record ``text`` behind the row with the hash ``previous``."""
    return hashlib.sha256(f"{number}\n{previous}\n{text}".encode()).hexdigest()


def canonical(fields: Mapping[str, Any]) -> str:
    """Return the one way to write ``fields``: keys in order, no spaces, ASCII."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True, cls=_Encoder)


class _Encoder(DjangoJSONEncoder):
    """Writes what it does not know as text: what happened is recorded in any case."""

    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:
            return str(o)


def _links(number: int, last: str, rows: list[tuple[int, str]]) -> list[tuple[int, str, int]]:
    linked = []
    for key, text in rows:
        number += 1
        last = link(number, last, text)
        linked.append((number, last, key))
    return linked


def _plain(text: str, most: int) -> str:
    """Return text that PostgreSQL can hold."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\N{REPLACEMENT CHARACTER}")[:most]


def instant_of(text: str) -> datetime:
    """Return the instant of a record's ``at``."""
    return datetime.fromisoformat(text)
