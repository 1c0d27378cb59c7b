"""Pauses, resumes and edits of a job, in sequences, with a beat that looks only where it says so.

What they leave is held against the schedule's own answer: each instant due while the job was active has one record, and
nothing else has any.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from scheduler import claims, jobs, pauses
from scheduler.models import Execution, Job, Status
from scheduler.schedule import Schedule
from tests.scheduler.database_clock import told_clock
from tests.scheduler.factories import MINUTELY, a_job, state

pytestmark = pytest.mark.django_db

START = datetime(2031, 3, 30, 0, 0, 30, tzinfo=UTC)
EACH_20_SECONDS = "0/20 * * * * ?"
Act = tuple[float, str]
Record = tuple[datetime, str]


def look() -> None:
    """What a beat does."""
    while claims.claim(limit=10).jobs:
        pass
    pauses.settle_all()


@dataclass
class Expected:
    """What an instant becomes, by the schedule's own answer: the oracle knows no row."""

    schedule: Schedule
    begun: datetime | None
    records: list[Record] = field(default_factory=list)

    def pass_to(self, until: datetime, *, becomes: str) -> None:
        """Settle what is due up to ``until`` and was not before."""
        if self.begun is None:
            return
        fire = self.schedule.next_after(self.begun)
        while fire is not None and fire <= until:
            self.records.append((fire, becomes))
            self.begun, fire = fire, self.schedule.next_after(fire)

    def act(self, what: str, at: datetime) -> None:
        verb, _, expression = what.partition(" ")
        if verb == "pause":
            self.pass_to(at, becomes="missed")
            self.begun = None
        elif verb == "resume":
            self.begun = self.begun or at
        elif verb in ("look", "activate", "deactivate"):
            # Also what changes nothing: an edit settles what was due before it.
            self.pass_to(at, becomes="runs")
            self.begun = {"look": self.begun, "activate": self.begun or at, "deactivate": None}[verb]
        elif verb == "edit":
            self.pass_to(at, becomes="runs")
            changed = Schedule(expression=expression, zone=self.schedule.zone)
            if changed != self.schedule:
                self.schedule, self.begun = changed, at if self.begun is not None else None


def do(job: Job, what: str) -> None:
    verb, _, expression = what.partition(" ")
    entry = PeriodicTask.objects.filter(job_state__job=job)
    if verb in ("pause", "resume"):
        entry.update(enabled=verb == "resume")
    elif verb == "look":
        look()
    elif verb in ("activate", "deactivate"):
        jobs.update(job, {"active": verb == "activate"}, by="tester")
    elif verb == "edit":
        jobs.update(job, {"schedule": Schedule(expression=expression, zone=job.zone)}, by="tester")
    elif verb == "crontab":
        # Of the entry itself, as its form lets one: the job's own schedule is what counts.
        entry.update(crontab=CrontabSchedule.objects.get_or_create(minute=expression or "*")[0])
    elif verb == "interval":
        entry.update(interval=IntervalSchedule.objects.get_or_create(every=int(expression), period="seconds")[0])
    elif verb == "delete":
        jobs.delete(job, by="tester")


def outcome(acts: list[Act], *, expression: str, zone: str, start: datetime) -> tuple[list[Record], list[Record]]:
    """What the rows say and what the schedule says after ``acts``, (seconds after ``start``, what), and a last look."""
    with told_clock() as tell:
        tell(start)
        job = a_job(
            expression=expression, zone=zone, overlap="allow", misfire="fire_all", misfire_grace_seconds=1_000_000
        )
        expected = Expected(Schedule(expression=expression, zone=zone), start)
        for seconds, what in [*acts, (acts[-1][0] + 0.1, "look")]:
            at = start + timedelta(seconds=seconds)
            tell(at)
            do(job, what)
            expected.act(what, at)
        rows = Execution.objects.of(job).order_by("scheduled_for")
        names = {Status.QUEUED.value: "runs", Status.SKIPPED.value: "missed"}
        found = [(row.scheduled_for, names[row.status] if row.until is None else f"until {row.until}") for row in rows]
        said = {tuple(row.messages) for row in rows if row.reason == "missed"}
        assert said <= {("paused on its beat entry before the clock had claimed it",)}
        pending = state(job).next_fire_at
        follows = expected.schedule.next_after(at) if expected.begun is not None else None
        assert pending == follows
        return found, sorted(expected.records)


SEQUENCES: dict[str, list[Act]] = {
    "resumed and paused within a moment": [(5, "deactivate"), (10, "resume"), (12, "pause")],
    "an instant within a moment of both": [(5, "deactivate"), (28, "resume"), (31, "pause")],
    "resumed for longer than a moment, with nothing due": [(5, "deactivate"), (10, "resume"), (20, "pause")],
    "resumed for minutes": [(5, "deactivate"), (40, "resume"), (200, "pause")],
    "an instant that is the resume's own is not its": [(5, "deactivate"), (30, "resume"), (50, "pause")],
    "an instant that is the pause's own is": [(5, "deactivate"), (10, "resume"), (30, "pause")],
    "paused while several were due": [(200, "pause")],
    "paused while nothing was due": [(20, "pause")],
    "again and again": [
        (40, "pause"),
        (80, "resume"),
        (100, "pause"),
        (130, "resume"),
        (160, "pause"),
        (200, "resume"),
    ],
    "paused and resumed over and over in a moment": [(25 + step, ("pause", "resume")[step % 2]) for step in range(12)],
    "with a beat between": [(40, "pause"), (50, "look"), (80, "resume"), (160, "look"), (220, "pause"), (300, "look")],
    "resumed, and edited before any look": [(5, "deactivate"), (10, "resume"), (100, f"edit {EACH_20_SECONDS}")],
    "edited after a pause that no beat saw": [(100, "pause"), (110, f"edit {EACH_20_SECONDS}"), (150, "resume")],
    "edited between pauses, several times": [
        (100, "pause"),
        (101, f"edit {EACH_20_SECONDS}"),
        (125, "resume"),
        (171, "pause"),
        (172, f"edit {MINUTELY}"),
        (180, "edit 5 * * * * ?"),
        (190, "resume"),
        (400, "pause"),
    ],
    "paused on the entry and let go elsewhere": [
        (100, "pause"),
        (150, "activate"),
        (300, "deactivate"),
        (310, "resume"),
    ],
    "the entry's own crontab and interval, several times": [
        (10, "crontab 7"),
        (20, "interval 3"),
        (100, "crontab 9"),
        (110, "pause"),
        (115, "interval 1"),
        (150, "resume"),
        (160, "crontab *"),
        (300, "pause"),
    ],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_each_instant_that_was_due_has_its_record_and_no_other(name: str) -> None:
    found, expected = outcome(SEQUENCES[name], expression=MINUTELY, zone="UTC", start=START)
    assert found == expected


@pytest.mark.parametrize(
    ("expression", "start"),
    [
        # The hour that is left out and the hour that comes twice, in Berlin.
        ("0 0/10 2 * * ?", datetime(2031, 3, 30, 0, 25, 0, 1, tzinfo=UTC)),
        ("0 0/10 * * * ?", datetime(2031, 10, 25, 23, 55, 0, 1, tzinfo=UTC)),
    ],
)
def test_so_it_is_where_the_clocks_change(expression: str, start: datetime) -> None:
    acts: list[Act] = [(4000, "pause"), (4700, "resume"), (7000, "pause"), (7500, "resume"), (90_000, "pause")]
    found, expected = outcome(acts, expression=expression, zone="Europe/Berlin", start=start)
    assert (found, len(found) > 5) == (expected, True)


@pytest.mark.parametrize("seed", range(6))
def test_so_it_is_after_any_sequence(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - no secret
    verbs = ["pause", "resume", "look", "activate", "deactivate", f"edit {EACH_20_SECONDS}", f"edit {MINUTELY}"]
    at, acts = 0.0, []
    for _ in range(14):
        at += dice.choice((0.5, 3.0, 6.0, 25.0, 61.0))
        acts.append((at, dice.choice(verbs)))
    found, expected = outcome(acts, expression=MINUTELY, zone="UTC", start=START)
    assert found == expected, acts
