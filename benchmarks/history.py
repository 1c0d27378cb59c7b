"""How a large history behaves: listing a job's runs, and deleting what outlived its days while runs go on ending.

``python -m benchmarks.history --rows 10000000``: PostgreSQL and Redis of its own, a table of JSON at the end.
"""

from __future__ import annotations

import argparse
import threading
import time

from benchmarks.report import machine, spread, table, write
from benchmarks.rig import Rig

JOBS = 1000
_FILL = """
INSERT INTO scheduler_execution
       (job_id, number, trigger, scheduled_for, status, queue, priority, concurrency_key, frequency, created_at,
        ready_at, started_at, ended_at, expires_at, attempt, rescues, cancel_requested, messages, visible, complete,
        worker)
SELECT 1 + g %% %(jobs)s, 1 + g / %(jobs)s, 0, at, 2, 'services', 5, '', '0 * * * * ?', at, at, at,
       at + interval '1 second', at + interval '30 days', 1, 0, false, '[]', true, false, 'worker:1:lane-1'
  FROM generate_series(%(first)s, %(last)s) g,
       LATERAL (SELECT now() - make_interval(secs => %(age)s - g / 100.0) AS at) t
"""


def fill(rows: int) -> None:
    """Write ``rows`` ended runs of 1,000 jobs, a tenth of them past their days."""
    from django.db import connection

    with connection.cursor() as cursor:
        for first in range(0, rows, 1_000_000):
            last = min(first + 1_000_000, rows) - 1
            cursor.execute(_FILL, {"jobs": JOBS, "first": first, "last": last, "age": 30 * 86400 + rows / 1000})
        cursor.execute(
            "UPDATE scheduler_jobstate s SET total_count = v.n, success_count = v.n, last_number = v.n"
            " FROM (SELECT job_id, count(*) n FROM scheduler_execution GROUP BY job_id) v WHERE v.job_id = s.job_id"
        )
        cursor.execute("VACUUM ANALYZE scheduler_execution")


def list_history(times: int) -> list[float]:
    """Return the seconds that the newest 100 runs of a job took to read, for many jobs."""
    from scheduler.models import Execution, Job

    took = []
    for number in range(1, times + 1):
        job = Job.objects.with_state().get(number=number)
        began = time.perf_counter()
        list(Execution.objects.of(job).history().newest_first()[:100])
        took.append(time.perf_counter() - began)
    return took


class Ends(threading.Thread):
    """Ends runs one after the other and keeps how long each took."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.took: list[float] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        from django.db import connection

        from scheduler import executions, jobs
        from scheduler.job_types import Outcome
        from scheduler.models import Job, Status

        own = list(Job.objects.filter(number__gt=JOBS))
        while not self._stopping.is_set():
            for job in own:
                execution = jobs.run_now(job, by="bench")
                (run,) = executions.start([execution.pk], worker="bench")
                began = time.perf_counter()
                executions.finish(run, Outcome(Status.SUCCEEDED, request={"a": 1}, response={"b": 2}))
                self.took.append(time.perf_counter() - began)
        connection.close()

    def stop(self) -> list[float]:
        self._stopping.set()
        self.join()
        return self.took


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    rows: int = options.parse_args().rows
    with Rig() as rig:
        rig.set_up()
        from benchmarks.fill import fill as fill_jobs
        from scheduler import retention

        fill_jobs(JOBS + 20)
        fill(rows)
        listing = spread(list_history(200))
        alone = Ends()
        alone.start()
        threading.Event().wait(5)
        before = spread(alone.stop())
        beside = Ends()
        beside.start()
        began = time.perf_counter()
        gone = retention.purge_all()
        seconds = time.perf_counter() - began
        during = spread(beside.stop())
        table(
            f"History of {rows:,} runs",
            [
                {"what": "list the newest 100 runs of a job", **listing},
                {"what": "end a run", **before},
                {"what": "end a run while retention deletes", **during},
            ],
        )
        table("Retention", [{"rows": gone, "seconds": round(seconds, 1), "rows/s": round(gone / seconds)}])
        write(
            {
                "machine": machine(),
                "rows": rows,
                "list": listing,
                "end": before,
                "end_during_purge": during,
                "purged": gone,
                "purged_per_second": round(gone / seconds),
            },
            None,
        )


if __name__ == "__main__":
    main()
