"""Which job somebody means."""

from __future__ import annotations

import difflib

from scheduler import job_types, jobs
from scheduler.cli.problems import Problem, Refused
from scheduler.exceptions import JobNotFound
from scheduler.models import Job

_SHOWN = 10


def locate(text: str) -> Job:
    """Return the job, with its state, that ``kind/number``, ``kind/name`` or a name means. Raises ``Refused``."""
    kind, slash, rest = text.partition("/")
    kinds = {found.kind for found in job_types.all_types()} | set(Job.objects.values_list("kind", flat=True).distinct())
    if slash and kind in kinds:
        if rest.isascii() and rest.isdigit() and len(rest) <= 19:
            try:
                return jobs.get(kind, int(rest))
            except JobNotFound as missing:
                raise Refused(Problem(0, str(missing))) from None
        return _named(rest, kind)
    return _named(text, None)


def _named(name: str, kind: str | None) -> Job:
    rows = Job.objects.with_state().order_by("kind", "number")
    rows = rows if kind is None else rows.filter(kind=kind)
    found = list(rows.filter(name=name)[: _SHOWN + 1])
    if len(found) == 1:
        return found[0]
    if found:
        these = ", ".join(f"{job.kind}/{job.number}" for job in found[:_SHOWN])
        more = " and others" if len(found) > _SHOWN else ""
        raise Refused(Problem(0, f"several jobs have the name '{name}': {these}{more}"))
    near = _similar(name, [*rows.filter(name__icontains=name[:255]).values_list("kind", "number", "name")[:_SHOWN]])
    raise Refused(Problem(0, f"there is no {kind + ' ' if kind else ''}job '{name[:255]}'{near}"))


def _similar(name: str, rows: list[tuple[str, int, str]]) -> str:
    close = set(difflib.get_close_matches(name, [found for _, _, found in rows], 3, 0.3))
    these = [f"{kind}/{number} '{found}'" for kind, number, found in rows if found in close]
    return f"; did you mean {', '.join(these[:3])}?" if these else ""
