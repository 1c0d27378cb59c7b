"""The clock under load: bursts, steady fires, the shape of real cron traffic."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import report, workload
from benchmarks.plan import Plan
from benchmarks.pushes import Pushes
from benchmarks.rig import Process, Rig
from benchmarks.running import metered, running

# Jobs that are due in one second mostly say so in the same words.
SHARED = "0 0 3 * * ?"


def alone(rig: Rig, plan: Plan) -> list[dict[str, Any]]:
    """Measure how fast one beat claims and publishes: jobs that share one schedule, and jobs of distinct ones.

    From the due second to the moment the last message was in Redis, beat entries and all rows included.
    """
    jobs = min(plan.alone, plan.jobs[-1])
    rows = []
    # The beat that has met distinct schedules once meets them again: first cold, then warm.
    for shared, passes in ((True, ("shared",)), (False, ("distinct, cold", "distinct, warm"))):
        workload.quiet(jobs)
        if shared:
            workload.schedule(1, jobs, SHARED, starting=_far())
        with running(rig, worker=False) as processes:
            for what in passes:
                with metered(rig, processes, jobs) as micros:
                    seconds = _claim_all(rig, jobs, processes)
                rows.append(
                    {
                        "schedules": what,
                        "jobs": plan.jobs[-1],
                        "due": jobs,
                        "seconds": round(seconds, 2),
                        "fires_per_s": round(jobs / seconds),
                        "beat_mb": round(processes[-1].megabytes),
                        **micros,
                    }
                )
    workload.quiet(jobs)
    return rows


def _claim_all(rig: Rig, jobs: int, processes: Sequence[Process]) -> float:
    """Make jobs due in one second; return the seconds from then until the last message was in Redis."""
    earlier = workload.count()
    with Pushes(rig.redis_address()) as pushes:
        second = workload.next_second(3)
        workload.due_at(second, jobs)
        workload.wait_until(
            lambda: workload.count() - earlier >= jobs, processes=processes, seconds=120, what=f"{jobs} fires claimed"
        )
        # A message follows its claim.
        time.sleep(0.5)
    published = pushes.published()
    # Their runs stay queued; without this the overlap policy would skip the next fires of these jobs.
    workload.execute("UPDATE scheduler_jobstate SET open_runs = 0 WHERE job_id <= %s", [jobs])
    return max(published[fire.execution_id] for fire in workload.fires()[earlier:]) - second


def _far() -> int:
    return int(time.time()) + 200_000


def bursts(rig: Rig, plan: Plan) -> list[dict[str, Any]]:
    """Measure the lateness of claim, publish and start for jobs that are due in the same second."""
    rows: list[dict[str, Any]] = []
    for jobs in plan.bursts:
        if jobs > plan.jobs[-1]:
            continue
        workload.quiet(jobs)
        workload.schedule(1, jobs, SHARED, starting=_far())
        with running(rig, worker=True) as processes:
            with Pushes(rig.redis_address()) as pushes:
                second = workload.next_second(3)
                workload.due_at(second, jobs)
                workload.wait_until(
                    _all_ended(jobs),
                    processes=processes,
                    seconds=120,
                    what=f"{jobs} runs have ended",
                )
            rows.extend(_lateness({"due": jobs}, pushes))
    workload.quiet(max(plan.bursts))
    return rows


def steady(rig: Rig, plan: Plan) -> list[dict[str, Any]]:
    """Measure lateness while so many jobs are due in each second."""
    rows: list[dict[str, Any]] = []
    for rate in plan.rates:
        # Each job fires every `period` seconds, so that the fires of a minute come from as many jobs as there are.
        period = max(p for p in (1, 2, 3, 5, 10, 15, 30, 60) if p == 1 or p * rate <= plan.jobs[-1])
        jobs = rate * period
        workload.quiet(jobs)
        with running(rig, worker=True) as processes:
            start = -(-workload.next_second(4) // 60) * 60 if period == 60 and plan.steady_seconds > 30 else 0
            start = start or workload.next_second(4)
            with Pushes(rig.redis_address()) as pushes:
                for offset in range(period):
                    second = start + offset
                    expression = f"{second % period}/{period} * * * * ?" if period < 60 else f"{second % 60} * * * * ?"
                    workload.schedule(offset * rate + 1, (offset + 1) * rate, expression, starting=second)
                workload.wait_until(
                    _passed(start + plan.steady_seconds),
                    processes=processes,
                    seconds=plan.steady_seconds + 120,
                    what="the time has passed",
                )
                _stop_fires(jobs, processes)
            rows.extend(_lateness({"per_s": rate, "due": workload.count()}, pushes))
        workload.quiet(jobs)
    return rows


def shape(rig: Rig, plan: Plan) -> list[dict[str, Any]]:
    """Measure lateness under 8 times the average at each full minute and 20 times at a quarter hour."""
    average = plan.shape_average
    minutely, quarterly = 8 * average, 12 * average
    rest = [(60 * average - minutely - quarterly // 15) // 59] * 59
    jobs = minutely + quarterly + sum(rest)
    if jobs > plan.jobs[-1]:
        return []
    workload.quiet(jobs)
    with running(rig, worker=True) as processes:
        minute = workload.next_second(8) // 60 + 1
        # So that one quarter hour falls into any ten minutes, and into the first two of a short run.
        quarter = (minute + 1) % 15
        with Pushes(rig.redis_address()) as pushes:
            workload.schedule(1, minutely, "0 * * * * ?", starting=minute * 60)
            workload.schedule(minutely + 1, minutely + quarterly, f"0 {quarter}/15 * * * ?", starting=(minute + 1) * 60)
            first = minutely + quarterly + 1
            for second, many in enumerate(rest, start=1):
                workload.schedule(first, first + many - 1, f"{second} * * * * ?", starting=minute * 60 + second)
                first += many
            over = (minute + plan.shape_minutes) * 60
            workload.wait_until(
                _passed(over),
                processes=processes,
                seconds=plan.shape_minutes * 60 + 200,
                what="the time has passed",
            )
            _stop_fires(jobs, processes)
        rows = _lateness({"average_per_s": average, "minutes": plan.shape_minutes, "due": workload.count()}, pushes)
    workload.quiet(jobs)
    return rows


def _stop_fires(jobs: int, processes: Sequence[Process]) -> None:
    """Let nothing be due any more, and wait until what was has ended."""
    workload.execute("UPDATE scheduler_jobstate SET next_fire_at = NULL WHERE job_id <= %s", [jobs])
    workload.wait_until(
        lambda: workload.count("status < 2") == 0, processes=processes, seconds=120, what="all runs have ended"
    )


def _lateness(what: dict[str, Any], pushes: Pushes) -> list[dict[str, Any]]:
    """Return one row each for claim, publish and start: how long after the due instant, in milliseconds."""
    fires = workload.fires()
    published = pushes.published()
    stages = {
        "claim": [fire.claimed - fire.due for fire in fires],
        "publish": [published[fire.execution_id] - fire.due for fire in fires],
        "start": [fire.started - fire.due for fire in fires if fire.started is not None],
        "end": [fire.ended - fire.due for fire in fires if fire.ended is not None],
    }
    return [{**what, "stage": stage, **report.spread(late)} for stage, late in stages.items()]


def _all_ended(jobs: int) -> Callable[[], bool]:
    return lambda: workload.count("ended_at IS NOT NULL") >= jobs


def _passed(second: float) -> Callable[[], bool]:
    return lambda: time.time() > second
