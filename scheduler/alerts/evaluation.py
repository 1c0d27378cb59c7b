"""Looks at ended runs out of the outbox: which rules they meet, and whose ping URL is to be called."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from scheduler.alerts import conditions, incidents, rules, runs, wording
from scheduler.alerts.incidents import Finding
from scheduler.alerts.runs import Run
from scheduler.models.alert import AlertRule, Ping
from scheduler.models.execution import Status

_WELL = (Status.SUCCEEDED, Status.WARNED)
# A call that waits already is as good as this one, which is newer.
_PING = """
INSERT INTO scheduler_delivery (purpose, ping_id, title, body, failed_run, state, attempts, problem)
VALUES ('ping', %s, %s, '', %s, 0, 0, '')
    ON CONFLICT (ping_id) WHERE state = 0 AND ping_id IS NOT NULL DO UPDATE
   SET title = EXCLUDED.title, failed_run = EXCLUDED.failed_run, created_at = clock_timestamp()
"""


def look(execution_ids: Sequence[int]) -> None:
    """Open incidents and hand over pings for these ended runs, inside the caller's transaction."""
    with connection.cursor() as cursor:
        found = runs.load(cursor, execution_ids)
        holding = rules.holding({run.job_pk: run.kind for run in found})
        incidents.record(cursor, findings(cursor, found, holding))
        _ping(cursor, found)


def findings(cursor: Any, found: Sequence[Run], holding: dict[int, list[AlertRule]]) -> list[Finding]:
    """Return which rules the runs meet, each rule once for a job: with its newest run."""
    met: dict[tuple[int, int], Finding] = {}
    for run in found:
        for rule in holding[run.job_pk]:
            what = conditions.met(cursor, rule, run)
            if what is not None:
                met[rule.pk, run.job_pk] = Finding(
                    rule=rule,
                    job_pk=run.job_pk,
                    execution_id=run.execution_id,
                    number=run.number,
                    at=run.ended_at or run.now,
                    title=wording.title(run.job_name, what),
                    details=wording.summary(run),
                )
    return list(met.values())


def _ping(cursor: Any, found: Sequence[Run]) -> None:
    jobs = sorted({run.job_pk for run in found})
    pinged = dict(Ping.objects.filter(job_id__in=jobs).values_list("job_id", "tell_failure"))
    newest = {run.job_pk: run for run in found if run.job_pk in pinged and run.status in (*_WELL, Status.FAILED)}
    for job_pk, run in sorted(newest.items()):
        failed = run.status is Status.FAILED
        if not failed or pinged[job_pk]:
            cursor.execute(_PING, [job_pk, wording.title(run.job_name, f"run {run.number}"), failed])
