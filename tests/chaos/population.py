"""The jobs that fire while the faults come, and what people do to them meanwhile."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace

from django.db import transaction
from django_celery_beat.models import PeriodicTask

from scheduler import executions, jobs, limits
from scheduler.models import Execution, Job
from scheduler.schedule import Schedule

_EXPRESSIONS = (
    "* * * * * ?",
    "0/2 * * * * ?",
    "1/3 * * * * ?",
    "0/5 * * * * ?",
    "3/7 * * * * ?",
    "0,1,2,20,21,40 * * * * ?",
    "0/10 * * ? * MON-SUN",
)
_ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns")
_OVERLAPS = ("skip", "allow", "queue", "replace")
_MISFIRES = ("fire_once", "skip", "fire_all")
_HISTORIES = ("FULL", "MINIMAL", "ERROR", "OFF")
_WORK = (
    {"milliseconds": 0},
    {"milliseconds": 300},
    {"milliseconds": 1500},
    {"milliseconds": 100, "fail_attempts": 1},
    {"milliseconds": 700, "deaf": True},
)
# Longer than a lease, for jobs of which one run at most is under way.
_LONG_WORK = (6000, 15000)
# What the jobs under a limit share: short work, so that a lost worker's place is soon made up for.
LIMITED_KEY, LIMIT = "chaos:shared", 2


def _work(chance: random.Random, number: int) -> dict[str, object]:
    """Return the arguments of the ``number``-th job, its concurrency key and its time limit."""
    arguments: dict[str, object] = dict(chance.choice(_WORK))
    timeout = chance.choice((None, None, 1))
    place = number % 24
    if place in (2, 11, 23):
        return {"arguments": {**arguments, "milliseconds": chance.randint(*_LONG_WORK)}, "timeout_seconds": None}
    if place in (5, 8, 15, 22):
        arguments = {"milliseconds": chance.choice((0, 100, 300))}
        return {"arguments": arguments, "timeout_seconds": timeout, "concurrency_key": LIMITED_KEY}
    return {"arguments": arguments, "timeout_seconds": timeout}


def populate(seed: int, many: int) -> None:
    """Create ``many`` jobs: every policy beside every other, on schedules of seconds."""
    chance = random.Random(f"population {seed}")
    limits.set_limit(LIMITED_KEY, LIMIT)
    policies = itertools.cycle(itertools.product(_OVERLAPS, _MISFIRES))
    for number, (overlap, misfire) in zip(range(1, many + 1), policies, strict=False):
        jobs.create(
            "chaos",
            jobs.Definition(
                name=f"job {number}",
                schedule=Schedule(chance.choice(_EXPRESSIONS), chance.choice(_ZONES)),
                overlap=overlap,
                misfire=misfire,
                # Short beside the outages, so that the misfire policies have work.
                misfire_grace_seconds=chance.choice((1, 2, 60)),
                history_strategy=chance.choice(_HISTORIES),
                max_retries=chance.choice((0, 2)),
                retry_delay_seconds=1,
                retry_max_delay_seconds=2,
                priority=chance.randrange(10),
                **_work(chance, number),  # type: ignore[arg-type]
            ),
            by="chaos",
        )


# Of a hundred acts so many are deletions.
DELETIONS = 0.03


class People:
    """Those who edit, pause, resume, run, cancel and delete, one thing at a time."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"people {seed}")
        self._acts: tuple[Callable[[Job], object], ...] = (
            self._edit,
            self._pause_or_resume,
            self._toggle_entry,
            self._run,
            self._run,
            self._cancel,
        )

    def act(self) -> str:
        """Do one thing to one job and return what; database errors are the caller's."""
        numbers = Job.objects.of_kind("chaos").values_list("number", flat=True)
        number, act = self._chance.choice(sorted(numbers)), self._chance.choice(self._acts)
        if self._chance.random() < DELETIONS:
            act = self._delete
        act(jobs.get("chaos", number))
        return f"{act.__name__.strip('_')} {number}"

    def _edit(self, job: Job) -> None:
        schedule = Schedule(self._chance.choice(_EXPRESSIONS), self._chance.choice(_ZONES))
        jobs.update(job, {"schedule": schedule}, by="chaos")

    def _delete(self, job: Job) -> None:
        """Delete it and make another like it, so that the work does not get less."""
        again = replace(jobs.Definition.of(job), active=True)
        with transaction.atomic():
            jobs.delete(job, by="chaos")
            jobs.create("chaos", again, by="chaos")

    def _pause_or_resume(self, job: Job) -> None:
        (jobs.deactivate if job.active else jobs.activate)(job, by="chaos")

    def _toggle_entry(self, job: Job) -> None:
        """As the stock admin's actions do."""
        PeriodicTask.objects.filter(pk=job.state.entry_id).update(enabled=not job.active)

    def _run(self, job: Job) -> None:
        jobs.run_now(job, by="chaos")

    def _cancel(self, job: Job) -> None:
        execution = Execution.objects.of(job).open().order_by("pk").first()
        if execution is not None:
            executions.cancel(execution, by="chaos")


def pause_all() -> None:
    """Pause every job, so that nothing new falls due."""
    for job in Job.objects.of_kind("chaos").active().order_by("pk"):
        jobs.deactivate(job, by="chaos")
