"""What a file of jobs says of the stored ones, and of the calendars and alert rules that they go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from scheduler.cli import calendar_entries, documents, entries, rule_entries
from scheduler.models import Job

_BATCH = 500


def pieces(named: Sequence[Job] | None, *, kind: str | None, sealed: bool, numbers: bool) -> Iterable[str]:
    """Return the text of a file, piece by piece: the ``named`` jobs, None for all; of one ``kind``.

    The file of all jobs of all kinds has all calendars and the rules that are defaults; another one has the calendars
    that its jobs go by. Raises ``UnknownJobType``.
    """
    rows = Job.objects.order_by("kind", "number")
    if kind is not None:
        rows = rows.filter(kind=kind)
        named = None if named is None else [job for job in named if job.kind == kind]
    whole = named is None and kind is None
    keys: set[int] | None = None
    if named is not None:
        keys = {key for job in named for key in job.calendars or ()}
    elif not whole:
        used = rows.filter(calendars__isnull=False).order_by().values_list("calendars", flat=True).distinct()
        keys = {key for found in used.iterator(chunk_size=_BATCH) for key in found or ()}
    found = iter(named) if named is not None else rows.iterator(chunk_size=_BATCH)
    return documents.write_jobs(
        _entries(found, sealed=sealed, numbers=numbers),
        calendars=calendar_entries.stored_entries(keys),
        alerts=rule_entries.listed(rule_entries.stored_defaults()) if whole else None,
    )


def _entries(found: Iterator[Job], *, sealed: bool, numbers: bool) -> Iterator[dict[str, Any]]:
    names = entries.calendar_names()
    while batch := list(islice(found, _BATCH)):
        rules = rule_entries.stored([job.pk for job in batch])
        for job in batch:
            alerts = rules.get(job.pk, ())
            yield entries.entry_of(job, calendars=names, alerts=alerts, sealed=sealed, numbers=numbers)
