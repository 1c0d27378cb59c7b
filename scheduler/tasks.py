"""Celery entry points. A message only asks to look; the rows decide what runs."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task

from scheduler import executions, jobs, runner, worker
from scheduler.lanes import USUAL_PRIORITY
from scheduler.models import Job

logger = logging.getLogger(__name__)

# Importing it connects its signals; Celery imports this module in every worker.
__all__ = ["run", "run_job", "worker"]

# Acknowledged before the work: a worker that dies leaves its run to the lease, not to Redis' visibility time-out,
# which would hand a long run out a second time.


@shared_task(name="scheduler.run", bind=True, acks_late=False, ignore_result=True)
def run(task: Any, ids: list[int]) -> None:
    """Run the executions ``ids`` as far as they are still queued."""
    lanes = worker.lanes()
    if lanes is None:
        runner.run_all(ids)
    else:
        priority = (task.request.delivery_info or {}).get("priority")
        left = lanes.run(ids, priority=USUAL_PRIORITY if priority is None else int(priority))
        if left:
            # They came as the worker was asked to stop: somebody else's at once.
            executions.give_back(left)


@shared_task(name="scheduler.run_job", acks_late=False, ignore_result=True)
def run_job(job_pk: int) -> None:
    """Run a job now; what the beat entry of a job says, so that the stock admin's "run selected tasks" works.

    Unlike a hint this asks for something new: workers take it signed alone, and each message once.
    """
    job = Job.objects.filter(pk=job_pk).first()
    if job is None:
        logger.warning("run.no_such_job job_pk=%s", job_pk)
        return
    jobs.run_now(job, by="beat entry")
