"""How the executions of the last day went, without reading them all to say so.

Ids grow with time, so a block of ids that has been passed gets no new executions. A beat counts it once, and again from
time to time while some of its runs are open; who asks reads those counts, and of the executions themselves only the
newest, which are in no counted block yet. Claims and ends of runs have nothing to do for this.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import nlargest

from django.db import connection, transaction

from scheduler import clock
from scheduler.models import Status, Tally
from scheduler.window import first_id_since, newest_id

SIZE = 32_768
SLOT = timedelta(minutes=10)
# A little more than is ever asked for. What was counted stays for twice as long.
KEPT = timedelta(hours=26)
# Who asks reads at most so many executions that are in no counted block.
WIDEST = 100_000
FAILURES = 12
# One turn of a beat counts at most so many blocks, a second's work on a slow machine.
MOST = 8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Lateness in buckets whose bounds grow by the same factor, a third, from a millisecond to five and a half hours.
BUCKETS = 64
_LEAST, _LARGEST = 0.001, 20_000.0

# Transactions that hold ids of a block have ended so long after the next block's first execution was written.
_PASSED_SECONDS = 120
# Blocks with open runs are counted again after so long at least, and the later the older they are.
_AGAIN_SECONDS, _AGAIN_SHARE = 10, 20

_COUNT = f"""
SELECT range.block, date_bin('{SLOT.total_seconds()} s', run.created_at, 'epoch') AS slot, run.status,
       CASE WHEN run.attempt = 1 AND run.trigger = 0 AND run.started_at IS NOT NULL
            THEN width_bucket(ln(greatest(extract(epoch FROM run.started_at - run.scheduled_for)::float8, {_LEAST})),
                              ln({_LEAST}::float8), ln({_LARGEST}::float8), {BUCKETS}) END AS late,
       count(*), array_agg(run.id) FILTER (WHERE run.status = 4)
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) range(block, low, high),
       LATERAL (SELECT * FROM scheduler_execution WHERE id >= range.low AND id < range.high) run
 GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - constants
# Blocks that were never counted, have open runs, or were counted before the last of their ids was sure to be there.
_TO_COUNT = """
SELECT block, next.created_at
  FROM generate_series(%(first)s::bigint, %(head)s::bigint - 1) block
  LEFT JOIN LATERAL (SELECT bool_and(settled) AS settled, max(counted_at) AS counted_at, max(slot) AS slot,
                            bool_or(counts[1] + counts[2] > 0) AS open
                       FROM scheduler_tally WHERE block = block.block) tally ON true,
       LATERAL (SELECT created_at FROM scheduler_execution
                 WHERE id >= (block.block + 1) * %(size)s ORDER BY id LIMIT 1) next
 WHERE tally.settled IS NOT TRUE
   AND (tally.counted_at IS NULL
        OR ((tally.open OR next.created_at < now() - %(passed)s * interval '1 s')
            AND tally.counted_at < now() - greatest(%(again)s * interval '1 s', (now() - tally.slot) / %(share)s)))
 ORDER BY tally.counted_at NULLS FIRST, block.block DESC LIMIT %(most)s
"""


@dataclass
class Slot:
    """What was claimed within one slot: by status, by lateness of first starts, and the newest failed runs."""

    counts: Counter[Status] = field(default_factory=Counter)
    lateness: list[int] = field(default_factory=lambda: [0] * (BUCKETS + 1))
    failures: list[int] = field(default_factory=list)

    def add(self, other: Slot) -> None:
        """Take in what was counted elsewhere of the same slot."""
        self.counts.update(other.counts)
        self.lateness = [mine + theirs for mine, theirs in zip(self.lateness, other.lateness, strict=True)]
        self.failures = nlargest(FAILURES, (*self.failures, *other.failures))


@dataclass(frozen=True)
class Figures:
    """Executions by the slot in which they were claimed. ``is_cut``: there are more, in blocks not counted yet."""

    slots: dict[datetime, Slot]
    is_cut: bool

    @property
    def total(self) -> Slot:
        """All slots as one."""
        whole = Slot()
        for slot in self.slots.values():
            whole.add(slot)
        return whole


def begin(instant: datetime) -> datetime:
    """Return when the slot of ``instant`` begins."""
    return instant - (instant - _EPOCH) % SLOT


def read(since: datetime) -> Figures:
    """Return what was claimed since ``since``, which begins a slot, in counts of the present but for runs that have
    been open for long: their ends are seen a twentieth of their age later."""
    low, high = first_id_since(since), newest_id() + 1
    slots: dict[datetime, Slot] = {}
    counted: set[int] = set()
    for tally in Tally.objects.all():
        counted.add(tally.block)
        if tally.slot >= since:
            by_status = Counter({status: tally.counts[status] for status in Status if tally.counts[status]})
            slots.setdefault(tally.slot, Slot()).add(Slot(by_status, tally.lateness, tally.failures))
    missing = _newest_missing(low, high, counted)
    for (_block, begun), slot in _count(missing).items():
        if begun >= since:
            slots.setdefault(begun, Slot()).add(slot)
    blocks = range(low // SIZE, high // SIZE + 1)
    return Figures(slots, is_cut=len(counted.intersection(blocks)) + len(missing) < len(blocks))


def _newest_missing(low: int, high: int, counted: set[int]) -> list[tuple[int, int, int]]:
    """Return the newest blocks that are not counted, with their ids from ``low`` to ``high``."""
    missing: list[tuple[int, int, int]] = []
    left = WIDEST
    for block in range(high // SIZE, low // SIZE - 1, -1):
        if block in counted:
            continue
        first, end = max(low, block * SIZE), min(high, (block + 1) * SIZE)
        left -= max(end - first, 0)
        if left < 0:
            break
        missing.append((block, first, end))
    return missing


def _count(ranges: Sequence[tuple[int, int, int]]) -> dict[tuple[int, datetime], Slot]:
    found: dict[tuple[int, datetime], Slot] = {}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [list(column) for column in zip(*ranges, strict=True)] or [[], [], []])
        for block, begun, status, late, count, failed in cursor.fetchall():
            slot = found.setdefault((block, begun), Slot())
            slot.counts[Status(status)] += count
            if late is not None:
                slot.lateness[late - 1] += count
            slot.failures = nlargest(FAILURES, (*slot.failures, *(failed or ())))
    return found


def tally(*, until: Callable[[], bool] = lambda: False) -> int:
    """Count blocks of the last day that need it, a few at most; return how many. One beat at a time does."""
    with transaction.atomic(), connection.cursor() as cursor:
        now = clock.now()
        first, head = first_id_since(now - KEPT) // SIZE, newest_id() // SIZE
        if first >= head:
            return 0
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('jobsite tallies', 0))")
        if not cursor.fetchone()[0]:
            return 0
        Tally.objects.filter(slot__lt=now - 2 * KEPT).delete()
        blocks = {"first": first, "head": head, "size": SIZE, "most": MOST}
        again = {"passed": _PASSED_SECONDS, "again": _AGAIN_SECONDS, "share": _AGAIN_SHARE}
        cursor.execute(_TO_COUNT, {**blocks, **again})
        done = 0
        for block, next_at in cursor.fetchall():
            if until():
                break
            _write(block, begin(next_at), is_over=(now - next_at).total_seconds() > _PASSED_SECONDS)
            done += 1
        return done


def _write(block: int, last_slot: datetime, *, is_over: bool) -> None:
    found = _count([(block, block * SIZE, (block + 1) * SIZE)]) or {(block, last_slot): Slot()}
    is_open = any(slot.counts[Status.QUEUED] or slot.counts[Status.RUNNING] for slot in found.values())
    Tally.objects.filter(block=block).delete()
    Tally.objects.bulk_create(
        Tally(
            block=block,
            slot=begun,
            counts=[slot.counts[status] for status in Status],
            lateness=slot.lateness,
            failures=slot.failures,
            settled=is_over and not is_open,
        )
        for (_block, begun), slot in found.items()
    )


def percentile(lateness: Iterable[int], share: float) -> float | None:
    """Return within how many seconds ``share`` of the starts came, to a tenth or so; None where nothing started."""
    counts = list(lateness)
    left = share * sum(counts)
    if not left:
        return None
    factor = (_LARGEST / _LEAST) ** (1 / BUCKETS)
    for place, count in enumerate(counts):
        if count and left <= count:
            return float(_LEAST * factor ** (place + min(left / count, 1.0 if place < BUCKETS else 0.0)))
        left -= count
    return _LARGEST
