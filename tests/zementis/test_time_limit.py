"""A scoring run whose time is over in the middle of its devices."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from scheduler import clock, jobs, runner
from scheduler.models import Execution, Job, Status
from tests.zementis.conftest import Api, answer
from tests.zementis.factories import FOREST, a_device, a_group, a_job, a_model, many_motions
from zementis import inference_pages, scoring
from zementis.inference_pages import PageStore
from zementis.models import InferencePage

pytestmark = pytest.mark.django_db(transaction=True)

DEVICES, ROWS, LIMIT = 4, 50, 600


def ran(job: Job, *, status: Status) -> Execution:
    execution = jobs.run_now(job, by="tester")
    assert runner.run_all([execution.pk]) == 1
    execution.refresh_from_db()
    assert execution.status == status
    return execution


def test_a_run_that_is_over_its_time_in_the_middle_of_scoring_fails_and_shows_nothing_of_it(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_model(FOREST)
    devices = [a_device() for _ in range(DEVICES)]
    for device in devices:
        many_motions(device.pk, ROWS, start=clock.now() - timedelta(minutes=10))
    job = jobs.update(a_job(a_group(*devices).pk), {"max_retries": 0, "timeout_seconds": LIMIT}, by="tester")
    # A device a batch, and each on disk at once, as with many rows.
    monkeypatch.setattr(scoring, "CHUNK_ROWS", ROWS)
    monkeypatch.setattr(inference_pages, "_FLUSH_BYTES", 1)
    put, stored = PageStore.put, []

    def put_and_let_time_pass(store: PageStore, pages: Iterable[Any]) -> None:
        put(store, pages)
        stored.append(InferencePage.objects.filter(execution_id=store.execution_id).count())
        if stored[-1] == 2:
            [run] = runner.heart.held
            run.deadline = time.monotonic()

    with monkeypatch.context() as slow:
        slow.setattr(PageStore, "put", put_and_let_time_pass)
        late = ran(job, status=Status.FAILED)
    told = [f"stopped at its time limit of {LIMIT} s"]
    assert (late.messages, stored[-1], InferencePage.objects.count()) == (told, 2, 0)
    # The next one finds nothing of it in its way, and a worker that is well.
    whole = ran(job, status=Status.SUCCEEDED)
    shown = {}
    for execution in (late, whole):
        address = f"/service/zementis/job/{job.number}/history/{execution.number}"
        status = answer(api.get(address))[1]["jobExecutionStatus"]
        found = json.loads(b"".join(api.get(f"{address}/inferences").streaming_content))
        shown[status] = len(found["inferenceCollection"])
    assert shown == {"Failure": 0, "Success": DEVICES}
