"""The list of all jobs: one statement over narrow columns, read through a cursor, never all of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from scheduler.models import Job
from voltmx.serializers import ACTIVE, INACTIVE, shares, shown_end

_COLUMNS = (
    "number",
    "name",
    "description",
    "schedule_text",
    "expression",
    "updated_by",
    "updated_at",
    "active",
    "state__total_count",
    "state__success_count",
    "state__warning_count",
    "state__failure_count",
    "state__last_status",
    "state__next_fire_at",
)
_BATCH = 2000


def rows() -> Iterator[dict[str, Any]]:
    """Yield the members of "Get All Jobs" per job, by id. The figures are counters kept with the job."""
    zone = ZoneInfo(settings.VOLTMX_TIME_ZONE)

    def shown(instant: datetime | None) -> str | None:
        # The ISO form of a naive second is the wire's but for its T; strftime takes four times as long.
        if instant is None:
            return None
        return instant.astimezone(zone).replace(tzinfo=None, microsecond=0).isoformat(" ")

    jobs = Job.objects.of_kind("voltmx").order_by("number").values_list(*_COLUMNS)
    for (
        number,
        name,
        description,
        text,
        expression,
        user,
        updated_at,
        active,
        total,
        succeeded,
        warned,
        failed,
        last,
        next_fire_at,
    ) in jobs.iterator(chunk_size=_BATCH):
        success_share, failure_share = shares(succeeded + warned, total)
        yield {
            "jobId": number,
            "jobName": name,
            "description": description,
            "cronExpression": text or expression,
            "updatedUser": user,
            "updatedDate": shown(updated_at),
            "jobStatus": ACTIVE if active else INACTIVE,
            "jobHistoryTotal": total,
            "jobHistorySuccessCount": succeeded + warned,
            "jobHistoryFailCount": failed,
            "jobHistorySucPercentage": success_share,
            "jobHistoryFailPercentage": failure_share,
            "jobLastRunStatus": shown_end(last),
            "jobNextRunTime": shown(next_fire_at),
        }


def begun(texts: Iterator[str]) -> Iterator[str]:
    """Return ``texts`` with the first one made already, so that what fails at the start still gets a proper answer."""
    first = list(islice(texts, 1))

    def whole() -> Iterator[str]:
        yield from first
        yield from texts

    return whole()
