"""The use cases of a calendar: save, delete, and what its days are. The only writer of ``Calendar``.

An edit is in force at its commit, for instants that no beat has claimed yet: nothing is worked out ahead, a claim asks
which version of a calendar is the present one and goes by its days. Those are remembered by version in each process.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import IntegrityError, connection, transaction

from scheduler import clock
from scheduler.arrays import integers
from scheduler.calendars import countries, dates, ical
from scheduler.calendars.days import CalendarDays, Closed
from scheduler.exceptions import CalendarInUse, InvalidCalendar, InvalidJob
from scheduler.history import storable_text
from scheduler.models import Calendar, Job
from scheduler.schedule import zone_of

logger = logging.getLogger(__name__)

MOST_PER_JOB = 20
# Forms list them all.
MOST = 500
_LENGTHS = {"name": 100, "description": 2000, "dates": 100_000, "ical": ical.LONGEST_FILE, "ical_name": 255}
_MOST_REMEMBERED = 1000
# Calendar -> its present version as far as this process knows; and the days of a calendar's version in a zone.
_rows: dict[int, Calendar] = {}
_days: dict[tuple[int, int, str], CalendarDays] = {}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a calendar is. ``weekdays`` from 0, Monday, to 6; ``dates`` as ``calendars.dates`` reads them."""

    name: str
    description: str = ""
    country: str = ""
    subdivision: str = ""
    weekdays: Sequence[int] = ()
    dates: str = ""
    ical: str = ""
    ical_name: str = ""

    def check(self) -> None:
        """Raise ``InvalidCalendar`` unless the calendar can be stored."""
        if not self.name.strip():
            raise InvalidCalendar("name", "a calendar needs a name")
        for field, longest in _LENGTHS.items():
            text = getattr(self, field)
            if len(text) > longest:
                raise InvalidCalendar(field, f"must have at most {longest:,} characters")
            if storable_text(text) != text:
                raise InvalidCalendar(field, "cannot hold the character U+0000 or half a surrogate pair")
        countries.check(self.country, self.subdivision)
        if not set(self.weekdays) <= set(range(7)):
            raise InvalidCalendar("weekdays", "a weekday is a number from 0, Monday, to 6, Sunday")
        if len(set(self.weekdays)) == 7:
            raise InvalidCalendar("weekdays", "a calendar that closes every day of the week closes all days")
        dates.read(self.dates)

    def events(self, *, today: date) -> dict[str, Any]:
        """Return the events of the iCal file as ``Calendar.events`` holds them. Raises ``InvalidCalendar``."""
        return ical.read(self.ical, today=today).as_json() if self.ical else {}


def save(calendar: Calendar | None, rules: Rules, *, by: str) -> Calendar:
    """Write a new calendar (None) or what became of an old one, and return it. Raises ``InvalidCalendar``.

    Saving an old one again works the events of its file out anew, up to a horizon that lies ahead of today.
    """
    rules.check()
    if calendar is None and Calendar.objects.count() >= MOST:
        raise InvalidCalendar("name", f"there are {MOST} calendars, and there can be no more")
    now = clock.now()
    stored = Calendar(created_at=now) if calendar is None else calendar
    for field in ("name", "description", "country", "subdivision", "dates", "ical", "ical_name"):
        setattr(stored, field, getattr(rules, field))
    stored.weekdays = sorted(set(rules.weekdays))
    stored.events = rules.events(today=now.date())
    stored.updated_at, stored.updated_by = now, by[:254]
    try:
        with transaction.atomic():
            if calendar is not None:
                # Two edits at once must not come to the same version with different days.
                locked = Calendar.objects.select_for_update(no_key=True).filter(pk=calendar.pk)
                version = locked.values_list("version", flat=True).first()
                if version is None:
                    raise InvalidCalendar("name", "the calendar was deleted meanwhile")
                stored.version = version + 1
            stored.save(force_insert=calendar is None, force_update=calendar is not None)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == "calendar_name_not_empty":
            raise
        raise InvalidCalendar("name", f"there is a calendar named '{rules.name}' already") from None
    logger.info("calendar.saved calendar=%s version=%s by=%r", stored.pk, stored.version, by)
    return stored


def delete(calendar: Calendar, *, by: str) -> None:
    """Delete a calendar. Raises ``CalendarInUse`` where jobs go by it."""
    with transaction.atomic():
        # Who gives the calendar to a job holds it too: either we see the job, or they miss the calendar.
        list(Calendar.objects.select_for_update().filter(pk=calendar.pk).values_list("pk", flat=True))
        named = list(users(calendar)[:4])
        if named:
            these = ", ".join(job.name for job in named[:3]) + (" and others" if len(named) > 3 else "")
            raise CalendarInUse(f"jobs go by it: {these}")
        Calendar.objects.filter(pk=calendar.pk).delete()
    logger.info("calendar.deleted calendar=%s by=%r", calendar.pk, by)


def users(calendar: Calendar) -> Any:
    """Return the jobs that go by ``calendar``, through an index."""
    return Job.objects.filter(calendars__contains=[calendar.pk]).order_by("kind", "number")


def hold(ids: Sequence[int]) -> None:
    """Keep the calendars ``ids`` from being deleted until the caller's transaction ends, which gives them to a job.

    Raises ``InvalidJob`` where one does not exist.
    """
    if not ids:
        return
    if len(ids) > MOST_PER_JOB:
        raise InvalidJob("calendars", f"a job has at most {MOST_PER_JOB} calendars")
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM scheduler_calendar WHERE id = ANY(%s) FOR KEY SHARE", [list(ids)])
        missing = sorted(set(ids).difference(row[0] for row in cursor.fetchall()))
    if missing:
        raise InvalidJob("calendars", f"there is no calendar {missing[0]}")


def names(ids: Sequence[int]) -> list[str]:
    """Return the names of calendars by name; one that is gone is called by its number."""
    known = dict(Calendar.objects.filter(pk__in=list(ids)).values_list("pk", "name")) if ids else {}
    return sorted(known.get(pk, f"calendar {pk}") for pk in ids)


def closed(ids: Sequence[int] | None, zone: str) -> Closed | None:
    """Return the closed days of a job with the calendars ``ids`` in ``zone``, None where it has no calendar."""
    if not ids:
        return None
    with connection.cursor() as cursor:
        return all_closed(cursor, [(ids, zone)])[0]


def all_closed(cursor: Any, wanted: Sequence[tuple[Sequence[int], str]]) -> list[Closed]:
    """Return the closed days for pairs of calendars and zone. One query where this process knows the versions."""
    asked = {pk for ids, _ in wanted for pk in ids}
    cursor.execute("SELECT id, version FROM scheduler_calendar WHERE id = ANY(%s::bigint[])", [integers(asked)])
    versions = dict(cursor.fetchall())
    # Never raised in a claim of many jobs because of one: days are worked out when they are first asked for.
    rows = _present(versions)
    return [
        Closed(zone, lambda ids=ids, zone=zone: [days_of(rows[pk], zone) for pk in ids if pk in rows])  # type: ignore[misc]
        for ids, zone in wanted
    ]


def _present(versions: dict[int, int]) -> dict[int, Calendar]:
    """Return the calendars at these versions or newer ones."""
    # Looked up once each: another thread may forget them all in between.
    known = {pk: row for pk in versions if (row := _rows.get(pk)) is not None}
    found = {pk: row for pk, row in known.items() if row.version == versions[pk]}
    stale = [pk for pk in versions if pk not in found]
    for row in Calendar.objects.filter(pk__in=stale).defer("ical") if stale else ():
        if len(_rows) >= _MOST_REMEMBERED:
            _rows.clear()
        found[row.pk] = _rows[row.pk] = row
    return found


def days_of(calendar: Calendar, zone: str) -> CalendarDays:
    """Return the days of a calendar in a zone, remembered. Raises what a row that was edited by hand makes it."""
    key = calendar.pk, calendar.version, zone
    days = _days.get(key)
    if days is None:
        days = CalendarDays(
            calendar.name,
            zone_of(zone),
            country=calendar.country,
            subdivision=calendar.subdivision,
            weekdays=frozenset(calendar.weekdays),
            dates=dates.read(calendar.dates),
            events=ical.Events.of(calendar.events),
        )
        if len(_days) >= _MOST_REMEMBERED:
            _days.clear()
        _days[key] = days
    return days


def warm() -> None:
    """Work out the days of calendars that this process does not know yet, so that no claim waits for that."""
    today = clock.now().date()
    versions = dict(Calendar.objects.values_list("pk", "version")[:_MOST_REMEMBERED])
    known = {pk: row.version for pk in versions if (row := _rows.get(pk)) is not None}
    for row in _present({pk: version for pk, version in versions.items() if known.get(pk) != version}).values():
        for year in (today.year, today.year + 1):
            days_of(row, "UTC").closure(date(year, 1, 1))
