"""Asks for runs of jobs, again and again, once a gate opens: ``python -m tests.live.asking <gate> <times> <ids>``."""

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import django

THREADS = 2


def ask(times: int, ids: list[int]) -> None:
    """Ask so many times for a run of each job."""
    from django.db import connection

    from scheduler import jobs
    from scheduler.models import Job
    from tests.probe.models import Gate
    from tests.waiting import wait_for

    made = list(Job.objects.filter(pk__in=ids))
    print("at the gate", flush=True)
    wait_for(lambda: not Gate.objects.filter(name=gate).exists(), every=0.02, what="the gate opens")
    for _ in range(times):
        for job in made:
            jobs.run_now(job, by="process")
    connection.close()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "jobsite.settings")
    django.setup()
    logging.getLogger("scheduler").setLevel(logging.WARNING)
    gate, times, *ids = sys.argv[1:]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: ask(int(times) // THREADS, [int(pk) for pk in ids]), range(THREADS)))
