"""What live tests look at: the instants of jobs, how late they were claimed and begun, and what was done twice."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from scheduler import clock
from scheduler.models import Execution, Job, JobChange, Status
from tests.probe.models import Effect, Gate
from tests.waiting import PATIENCE, wait_for

SECOND = timedelta(seconds=1)
SECONDLY = "* * * * * ?"


def instants(job: Job) -> list[datetime]:
    """The instants of the job that have a row, in their order."""
    rows = Execution.objects.of(job).exclude(trigger=1).order_by("scheduled_for")
    return list(rows.values_list("scheduled_for", flat=True))


def without_gap(job: Job) -> bool:
    """Whether a job of every second has each second since it became one up to its last, once, and has any."""
    found = instants(job)
    became = JobChange.objects.filter(job_id=job.pk, changes__schedule__1__expression=SECONDLY).earliest("at", "pk").at
    first = became.replace(microsecond=0) + SECOND
    return bool(found) and found == [first + step * SECOND for step in range(len(found))]


def claimed_up_to(jobs: Sequence[Job], instant: datetime, *, deadline: float = PATIENCE) -> None:
    """Wait until each of the jobs has a row at or after ``instant``."""
    wanted = {job.pk for job in jobs}

    def all_claimed() -> bool:
        rows = Execution.objects.filter(job_id__in=wanted, scheduled_for__gte=instant)
        return set(rows.values_list("job_id", flat=True)) == wanted

    wait_for(all_claimed, deadline=deadline, what=f"rows of {len(wanted)} jobs at {instant} or later")


def pass_seconds(seconds: float) -> datetime:
    """Wait until so many seconds have passed by the database's clock; return the time then."""
    until = clock.exact_now() + timedelta(seconds=seconds)
    wait_for(lambda: clock.exact_now() >= until, deadline=seconds + PATIENCE, what=f"{seconds} seconds")
    return until


def latest_claim(jobs: Iterable[Job], *, since: datetime | None = None) -> timedelta:
    """How late the latest claim of an instant (since then) was."""
    rows = Execution.objects.filter(job__in=list(jobs)).exclude(trigger=1)
    rows = rows if since is None else rows.filter(scheduled_for__gte=since)
    return max(created - due for due, created in rows.values_list("scheduled_for", "created_at"))


def ended(*ids: int, deadline: float = PATIENCE) -> dict[int, Status]:
    """Wait until the executions have ended; return how."""
    wait_for(
        lambda: not Execution.objects.filter(pk__in=ids, status__lt=2).exists(),
        deadline=deadline,
        what=f"the ends of {ids}",
    )
    return {pk: Status(status) for pk, status in Execution.objects.filter(pk__in=ids).values_list("pk", "status")}


def effects() -> Counter[tuple[int, int]]:
    """How often each attempt's work was done: (execution, attempt) -> times."""
    return Counter(Effect.objects.values_list("execution_id", "attempt"))


def running(*ids: int, deadline: float = PATIENCE) -> None:
    """Wait until the executions run and have begun their work."""
    wait_for(
        lambda: (
            Execution.objects.filter(pk__in=ids, status=Status.RUNNING).count() == len(ids)
            and Effect.objects.filter(execution_id__in=ids).values("execution_id").distinct().count() == len(ids)
        ),
        deadline=deadline,
        what=f"{ids} at work",
    )


def handed_back(*ids: int) -> None:
    """Wait until the executions are queued and due to be published at once, as whoever will not start them says."""
    epoch = datetime.fromtimestamp(0, UTC)
    wait_for(
        lambda: Execution.objects.filter(pk__in=ids, status=Status.QUEUED, publish_at=epoch).count() == len(ids),
        what=f"{ids} handed back",
    )


def a_gate(name: str) -> str:
    """A gate at which probes wait."""
    Gate.objects.create(name=name)
    return name


def open_gate(name: str) -> None:
    Gate.objects.filter(name=name).delete()
