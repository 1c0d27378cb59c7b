"""What somebody who can write to Redis can do to real workers: cost them work."""

import json
from typing import Any

import pytest
from redis import Redis

from scheduler import jobs, messages, tasks
from scheduler.messages import Hint
from scheduler.models import Execution, Metric
from tests.jobsite.test_admission import JUNK, hint
from tests.live.servers import own_redis
from tests.live.watching import ended
from tests.processes import Processes
from tests.scheduler.factories import a_job
from tests.tls import tls_door
from tests.voltmx.certificate import self_signed
from tests.waiting import wait_for

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]


def refused() -> dict[str, float]:
    """How many messages the workers refused, by reason."""
    return dict(Metric.objects.filter(name="jobsite_messages_refused_total").values_list("label", "value"))


def test_junk_forgeries_and_replays_stop_no_worker_and_start_nothing(processes: Processes, broker: Redis) -> None:
    untouched, asked = a_job(), a_job()
    queued = jobs.run_now(a_job(), by="tester")
    tasks.run_job.apply_async(args=(asked.pk,), queue="inference", priority=0)
    signed: Any = broker.rpop("inference")
    broker.flushdb()
    junk = [made if isinstance(made, str | bytes) else json.dumps(made()) for _, made in JUNK.values()]
    forged = hint(untouched.pk)
    forged["headers"]["task"] = "scheduler.run_job"
    for queue in ("services", "inference"):
        broker.lpush(queue, *junk, json.dumps(forged))
    # Copies, which two children take at the same moment.
    broker.lpush("inference", signed, signed, signed)
    messages.publish([Hint(queued.pk, "services", 0)])
    workers = [processes.worker(), processes.worker(queues="inference", pool="prefork", concurrency=2)]
    wait_for(lambda: refused().get("replay", 0) == 2, deadline=60, what="two copies refused")
    [once] = Execution.objects.filter(job=asked)
    ended(queued.pk, once.pk, deadline=60)
    wait_for(
        lambda: [broker.llen("services"), broker.llen("inference"), broker.hlen("unacked")] == [0, 0, 0],
        deadline=60,
        what="empty queues",
    )
    wait_for(lambda: sum(refused().values()) == 2 * len(junk) + 4, deadline=60, what="all of them counted")
    assert ([worker.returncode for worker in workers], Execution.objects.filter(job=untouched).count()) == (
        [None, None],
        0,
    )


def test_runs_go_through_a_redis_with_password_and_tls_and_a_worker_that_trusts_another_takes_none(
    processes: Processes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours, another = (self_signed(tmp_path_factory.mktemp(name), "127.0.0.1") for name in ("ours", "another"))
    with own_redis() as server:
        login, _, address = server.url.removeprefix("redis://").rpartition("@")
        host, _, port = address.partition("/")[0].partition(":")
        with tls_door((host, int(port)), certificate=ours[0], key=ours[1]) as door:
            secure: Any = {"CELERY_BROKER_URL": f"rediss://{login}@127.0.0.1:{door}/0"}
            stranger = processes.start(
                *("-m", "celery", "-A", "jobsite", "worker", "-Q", "services", "-P", "threads", "-c", "1"),
                CELERY_BROKER_CA_FILE=str(another[0]),
                **secure,
            )
            stranger.wait_for_line("certificate verify failed", deadline=60)
            secure["CELERY_BROKER_CA_FILE"] = str(ours[0])
            asked = jobs.run_now(a_job(), by="tester")
            # What this process told its own Redis never comes; the sweep tells the right one.
            processes.beats(1, **secure)
            processes.worker(**secure)
            ended(asked.pk, deadline=60)
            asked.refresh_from_db()
    assert login.startswith(":")
    assert str(stranger.pid) not in (asked.worker or "")
