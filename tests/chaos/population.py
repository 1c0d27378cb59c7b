"""The jobs that fire while the faults come, and what people do to them meanwhile."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

from django_celery_beat.models import PeriodicTask

from scheduler import executions, jobs
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


def populate(seed: int, many: int) -> None:
    """Create ``many`` jobs: every policy beside every other, on schedules of seconds."""
    chance = random.Random(f"population {seed}")
    policies = itertools.cycle(itertools.product(_OVERLAPS, _MISFIRES))
    for number, (overlap, misfire) in zip(range(1, many + 1), policies, strict=False):
        jobs.create(
            "chaos",
            jobs.Definition(
                name=f"job {number}",
                schedule=Schedule(chance.choice(_EXPRESSIONS), chance.choice(_ZONES)),
                arguments=dict(chance.choice(_WORK)),
                overlap=overlap,
                misfire=misfire,
                # Short beside the outages, so that the misfire policies have work.
                misfire_grace_seconds=chance.choice((1, 2, 60)),
                history_strategy=chance.choice(_HISTORIES),
                max_retries=chance.choice((0, 2)),
                retry_delay_seconds=1,
                retry_max_delay_seconds=2,
                priority=chance.randrange(10),
                timeout_seconds=chance.choice((None, None, 1)),
            ),
            by="chaos",
        )


class People:
    """Those who edit, pause, resume, run and cancel, one thing at a time."""

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
        act(jobs.get("chaos", number))
        return f"{act.__name__.strip('_')} {number}"

    def _edit(self, job: Job) -> None:
        schedule = Schedule(self._chance.choice(_EXPRESSIONS), self._chance.choice(_ZONES))
        jobs.update(job, {"schedule": schedule}, by="chaos")

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
