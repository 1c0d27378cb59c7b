"""Which rules hold for a job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models import Q

from scheduler.models.alert import AlertRule


def holding(jobs: Mapping[int, str]) -> dict[int, list[AlertRule]]:
    """Return the enabled rules that hold for each of ``jobs`` (key -> kind), the most specific of each condition."""
    own: dict[int, list[AlertRule]] = defaultdict(list)
    of_kind: dict[str, list[AlertRule]] = defaultdict(list)
    for rule in AlertRule.objects.filter(Q(job_id__in=list(jobs)) | Q(job__isnull=True)).order_by("pk"):
        if rule.job_id is not None:
            own[rule.job_id].append(rule)
        else:
            of_kind[rule.kind].append(rule)
    return {job: _most_specific(own[job], of_kind[kind] if kind else [], of_kind[""]) for job, kind in jobs.items()}


def _most_specific(*levels: Iterable[AlertRule]) -> list[AlertRule]:
    chosen: dict[str, list[AlertRule]] = {}
    for level in levels:
        here: dict[str, list[AlertRule]] = defaultdict(list)
        for rule in level:
            here[rule.condition].append(rule)
        for condition, found in here.items():
            chosen.setdefault(condition, found)
    return [rule for found in chosen.values() for rule in found if rule.enabled]
