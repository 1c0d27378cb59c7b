"""What the dashboard says of the last day is right however many runs there were, and costs little."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.contrib.postgres.functions import TransactionNow
from django.db import connection

from scheduler import clock, tallies
from scheduler.models import Execution, Job, Status, Tally, Trigger
from tests.scheduler.factories import a_job
from tests.scheduler.threads import in_thread

pytestmark = pytest.mark.django_db

SIZE = 8
FIRST = 100 * SIZE
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "SIZE", SIZE)


def since() -> datetime:
    """A day ago. The database's time stands still in a test."""
    return tallies.begin(clock.now() - timedelta(hours=24))


def write(job: Job, pk: int, *, ago: timedelta, status: Status = Status.SUCCEEDED, late: float = 1.0) -> None:
    """An execution with that id, claimed so long ago."""
    at = clock.now() - ago
    due = at - pk * timedelta(microseconds=1)
    ended = status not in (Status.QUEUED, Status.RUNNING)
    Execution.objects.create(
        id=pk,
        job=job,
        number=None if status == Status.SKIPPED else pk,
        reason="overlap" if status == Status.SKIPPED else None,
        trigger=Trigger.SCHEDULE,
        scheduled_for=due,
        created_at=at,
        started_at=None if status in (Status.QUEUED, Status.SKIPPED) else due + timedelta(seconds=late),
        ended_at=at if ended else None,
        token=1 if status == Status.RUNNING else None,
        lease_until=at + timedelta(hours=1) if status == Status.RUNNING else None,
        status=status,
        attempt=1,
        queue="services",
    )


def a_day(job: Job, *, blocks: int) -> None:
    """Executions of all statuses, half an hour apart, the newest an hour old, and one older than a day."""
    runs = blocks * SIZE
    for place in range(runs):
        write(job, FIRST + place, ago=timedelta(minutes=60 + 30 * (runs - place)), status=Status(place % 7))


def truth() -> tuple[Counter[tuple[datetime, Status]], list[int]]:
    """What the rows themselves say."""
    found = Execution.objects.filter(created_at__gte=since()).order_by("-pk").values_list("pk", "created_at", "status")
    counts = Counter((tallies.begin(at), Status(status)) for _pk, at, status in found)
    return counts, [pk for pk, _at, status in found if status == Status.FAILED][: tallies.FAILURES]


def told() -> tuple[Counter[tuple[datetime, Status]], list[int]]:
    """What the figures say."""
    figures = tallies.read(since())
    assert not figures.is_cut
    counts = Counter(
        {(at, status): count for at, slot in figures.slots.items() for status, count in slot.counts.items()}
    )
    return counts, figures.total.failures


def let_pass() -> None:
    """Let the time be over for which a count is left as it is."""
    Tally.objects.update(counted_at=TransactionNow() - timedelta(days=1))


def settled() -> list[int]:
    return sorted(Tally.objects.filter(settled=True).values_list("block", flat=True).distinct())


def test_figures_agree_with_the_rows_before_and_after_they_are_counted_and_as_runs_go_on() -> None:
    job = a_job()
    a_day(job, blocks=6)
    assert told() == truth()
    # The newest block may get more.
    assert (tallies.tally(), tallies.tally()) == (5, 0)
    assert told() == truth()
    for place in range(2 * SIZE):
        write(job, FIRST + 6 * SIZE + place, ago=30 * MINUTE, status=Status.FAILED)
    assert told() == truth()
    assert (tallies.tally(), told()) == (2, truth())
    Execution.objects.filter(status=Status.RUNNING).update(
        status=Status.WARNED, ended_at=clock.now(), token=None, lease_until=None
    )
    Execution.objects.filter(status=Status.QUEUED).update(status=Status.CANCELLED, ended_at=clock.now())
    assert tallies.tally() == 0
    let_pass()
    assert (tallies.tally(), told()) == (6, truth())
    let_pass()
    assert (tallies.tally(), len(settled())) == (0, 7)


def test_who_asks_reads_the_counts_and_of_the_rows_the_newest() -> None:
    a_day(a_job(), blocks=3)
    tallies.tally()
    before = told()
    Execution.objects.filter(pk__lt=FIRST + 2 * SIZE).delete()
    assert (told(), truth()[0].total()) == (before, SIZE)


def test_a_block_is_counted_again_until_no_transaction_can_hold_an_id_of_it() -> None:
    job = a_job()
    for pk in (FIRST, FIRST + 1, FIRST + SIZE):
        write(job, pk, ago=timedelta(seconds=1))
    assert (tallies.tally(), settled()) == (1, [])
    write(job, FIRST + 2, ago=timedelta(seconds=2))
    Execution.objects.filter(pk=FIRST + SIZE).update(created_at=clock.now() - timedelta(seconds=300))
    let_pass()
    assert (tallies.tally(), settled(), told()) == (1, [FIRST // SIZE], truth())


def test_ids_that_nobody_got_are_counted_once() -> None:
    job = a_job()
    write(job, FIRST, ago=2 * MINUTE)
    write(job, FIRST + 3 * SIZE, ago=MINUTE)
    tallies.tally()
    let_pass()
    Execution.objects.filter(pk=FIRST + 3 * SIZE).update(created_at=clock.now() - 10 * MINUTE)
    tallies.tally()
    let_pass()
    assert (tallies.tally(), len(settled()), told()) == (0, 3, truth())


def test_more_than_is_read_and_no_beat_has_counted_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "WIDEST", 2 * SIZE)
    a_day(a_job(), blocks=4)
    figures = tallies.read(since())
    assert (figures.total.counts.total(), figures.is_cut) == (2 * SIZE, True)
    tallies.tally()
    assert told() == truth()


def test_a_beat_counts_a_few_blocks_a_turn_the_newest_first_and_forgets_what_is_old(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tallies, "MOST", 2)
    a_day(a_job(), blocks=4)
    Tally.objects.create(
        block=1, slot=clock.now() - timedelta(days=3), counts=[0] * 7, lateness=[0] * 65, failures=[], settled=True
    )
    assert tallies.tally() == 2
    newest = FIRST // SIZE + 3
    assert sorted(Tally.objects.values_list("block", flat=True).distinct()) == [newest - 2, newest - 1]
    assert tallies.tally(until=lambda: True) == 0


@pytest.mark.django_db(transaction=True)
def test_one_beat_counts_at_a_time() -> None:
    a_day(a_job(), blocks=2)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended('jobsite tallies', 0))")
        try:
            beside = in_thread(tallies.tally)
            beside.join(60)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended('jobsite tallies', 0))")
    assert (beside.is_alive(), Tally.objects.exists(), tallies.tally()) == (False, False, 1)


def test_a_percentile_is_right_to_a_sixth() -> None:
    job = a_job()
    for place in range(100):
        write(job, FIRST + place, ago=2 * MINUTE, late=(place + 1) / 7)
    lateness = tallies.read(since()).total.lateness
    found = [tallies.percentile(lateness, share) for share in (0.01, 0.5, 0.95, 1.0)]
    assert found == pytest.approx([1 / 7, 50 / 7, 95 / 7, 100 / 7], rel=1 / 6)
    assert tallies.percentile([0] * 65, 0.95) is None
