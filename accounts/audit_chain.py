"""What is done with the chain as a whole: verify it, export it, cut off its oldest part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Min

from accounts import audit
from accounts.models import AuditEntry

_CHUNK = 2000
PRUNED = "audit.pruned"


@dataclass(frozen=True)
class Verdict:
    """What a look at the whole chain found. ``problem`` None: every row is as it was written and in its place."""

    rows: int
    number: int
    hash: str
    problem: str | None


def verify(*, expected: tuple[int, str] | None = None) -> Verdict:
    """Look at every row of the chain. ``expected``, a number and a hash noted earlier, must still be in it.

    Rows cut off at the end leave a chain that is whole: only ``expected`` can tell.
    """
    audit.seal()
    rows, number, last = 0, None, audit.START
    seen = expected is None
    for entry in _sealed():
        if number is None:
            number, last = _beginning(entry)
            if number is None:
                return Verdict(rows, 0, last, f"the rows before number {entry.number} are missing")
        problem = _problem(entry, number + 1, last)
        if problem is not None:
            return Verdict(rows, number, last, problem)
        rows, number, last = rows + 1, number + 1, entry.hash
        seen = seen or expected == (number, last)
    if not seen and expected is not None:
        return Verdict(rows, number or 0, last, f"number {expected[0]} with the hash {expected[1]} is missing")
    return Verdict(rows, number or 0, last, None)


def lines() -> Iterator[str]:
    """Return the sealed rows, oldest first, as lines of JSON: number, hash, and the record as it was hashed."""
    audit.seal()
    for entry in _sealed():
        yield json.dumps({"number": entry.number, "hash": entry.hash, "record": entry.record})


def prune(*, before: datetime, by: str) -> int:
    """Remove the oldest rows, up to the last before the first that is not older than ``before``; return how many.

    The removal is itself recorded, with the hash that the rest of the chain begins with.
    """
    audit.seal()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [audit.LOCK])
        kept = AuditEntry.objects.filter(at__gte=before, number__isnull=False).aggregate(first=Min("number"))["first"]
        old = AuditEntry.objects.filter(at__lt=before, number__isnull=False)
        if kept is not None:
            old = old.filter(number__lt=kept)
        last = old.order_by("-number").values_list("number", "hash").first()
        if last is None:
            return 0
        cursor.execute("SET LOCAL jobsite.audit_pruning = 'on'")
        cursor.execute("DELETE FROM accounts_auditentry WHERE number <= %s", [last[0]])
        removed: int = cursor.rowcount
        cursor.execute("SET LOCAL jobsite.audit_pruning = 'off'")
        audit.record(
            PRUNED,
            target=f"up to number {last[0]}",
            changes={"through": last[0], "hash": last[1], "rows": removed, "before": before},
            by=by,
        )
        # In the same transaction: with all rows gone the chain would else begin anew.
        _seal_behind(last[0] or 0, last[1])
    audit.seal()
    return removed


def _seal_behind(number: int, last: str) -> None:
    """Seal the record of a removal that has left no row to go on from."""
    if AuditEntry.objects.filter(number__isnull=False).exists():
        return
    entry = AuditEntry.objects.filter(number__isnull=True, action=PRUNED).latest("id")
    AuditEntry.objects.filter(pk=entry.pk).update(number=number + 1, hash=audit.link(number + 1, last, entry.record))


def _sealed() -> Iterator[AuditEntry]:
    return AuditEntry.objects.filter(number__isnull=False).order_by("number").iterator(chunk_size=_CHUNK)


def _beginning(first: AuditEntry) -> tuple[int | None, str]:
    """Return number and hash of the row in front of the first one; None where it should be there and is not."""
    if first.number == 1:
        return 0, audit.START
    newest = AuditEntry.objects.filter(action=PRUNED, number__isnull=False).order_by("-number").first()
    changes: dict[str, Any] = newest.details()["changes"] if newest else {}
    if changes.get("through") == (first.number or 0) - 1:
        return changes["through"], str(changes["hash"])
    return None, audit.START


def _problem(entry: AuditEntry, number: int, previous: str) -> str | None:
    if entry.number != number:
        return f"number {number} is missing"
    if entry.hash != audit.link(number, previous, entry.record):
        return f"number {number} (id {entry.pk}) is not what was written, or not behind what it was written behind"
    details = entry.details()
    shown = {"by": entry.by, "address": entry.address, "action": entry.action, "target": entry.target}
    if any(details[name] != value for name, value in shown.items()) or audit.instant_of(details["at"]) != entry.at:
        return f"number {number} (id {entry.pk}) shows other columns than its record"
    return None
