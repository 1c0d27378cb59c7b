"""GET /metrics: what is counted, who may read it, and that the dashboard asks for nothing else."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection, transaction
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from scheduler import claims, executions, jobs, messages, metrics
from scheduler.endings import Ending
from scheduler.job_types import Outcome
from scheduler.models import Execution, Metric, Status
from tests.scheduler.factories import a_job, due, lapse, started
from tests.scheduler.threads import together

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _nothing_counted() -> None:
    metrics._local.take()


@pytest.fixture
def inside(settings: Any) -> Client:
    """A scraper that is let in by its address."""
    settings.METRICS_ALLOW_ADDRESSES = ["127.0.0.0/8"]
    return Client()


def scraped(client: Client) -> dict[tuple[str, str], float]:
    """The samples of an answer: (name, its labels' values) -> value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.content
    return {
        (sample.name, "/".join(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


@pytest.mark.django_db(transaction=True)
def test_runs_are_counted_from_due_to_their_ends(inside: Client) -> None:
    first, second = a_job(), a_job()
    due(first, seconds_ago=10)
    due(second, seconds_ago=10)
    claims.claim(limit=10)
    runs = executions.start([*Execution.objects.values_list("pk", flat=True)], worker="w")
    metrics.started(runs)
    outcomes = (Outcome(Status.SUCCEEDED), Outcome(Status.FAILED))
    executions.finish_many([Ending(run, outcome) for run, outcome in zip(runs, outcomes, strict=True)])
    due(first)
    held = started(second)
    due(second)
    claims.claim(limit=10)
    lapse(held.execution_id)
    executions.rescue()
    metrics.flush()
    found = scraped(inside)
    counted = {key: value for key, value in found.items() if key[0].endswith("_total")}
    assert counted == {
        ("jobsite_instants_due_total", "probe"): 4.0,
        ("jobsite_runs_claimed_total", "probe"): 3.0,
        ("jobsite_instants_skipped_total", "probe/overlap"): 1.0,
        ("jobsite_runs_requested_total", "probe"): 1.0,
        ("jobsite_runs_started_total", "probe"): 2.0,
        ("jobsite_runs_ended_total", "probe/succeeded"): 1.0,
        ("jobsite_runs_ended_total", "probe/failed"): 2.0,
        ("jobsite_leases_expired_total", "probe/failed"): 1.0,
        ("jobsite_beat_ticks_total", ""): 2.0,
    }
    assert (found["jobsite_claim_lateness_seconds_count", "probe"], found["jobsite_beat_tick_seconds_count", ""]) == (
        3.0,
        2.0,
    )


@pytest.mark.django_db(transaction=True)
def test_a_lost_run_that_was_to_be_cancelled_is_counted_as_cancelled(inside: Client) -> None:
    run = started(a_job())
    executions.cancel(Execution.objects.get(), by="tester")
    lapse(run.execution_id)
    executions.rescue()
    metrics.flush()
    ended = {key[1]: value for key, value in scraped(inside).items() if key[0] == "jobsite_runs_ended_total"}
    assert ended == {"probe/cancelled": 1.0}


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_is_rolled_back_counts_nothing() -> None:
    due(a_job())
    metrics._local.take()
    with pytest.raises(RuntimeError), transaction.atomic():
        claims.claim(limit=10)
        raise RuntimeError
    assert [key for key in metrics._local.take() if key[0] == "jobsite_instants_due_total"] == []


@pytest.mark.django_db(transaction=True)
def test_processes_that_flush_at_once_add_up() -> None:
    parts = []
    for _ in range(6):
        metrics.STARTED.add("probe", by=10)
        metrics.ENDED.add("probe", "failed")
        metrics.DURATION.observe(0.3, "probe")
        metrics.TICKS.add()
        parts.append(metrics._local.take())

    def flushed(part: dict[Any, Any]) -> None:
        mine = metrics._Local(series=part)
        metrics.flush(mine)

    assert together(*[lambda part=part: flushed(part) for part in parts]) == [None] * 6
    sums = metrics.read()
    assert (sums["jobsite_runs_started_total", "probe", ""].value, Metric.objects.count()) == (60.0, 4)
    histogram = sums["jobsite_run_duration_seconds", "probe", ""]
    assert (round(histogram.value, 6), sum(histogram.buckets or ())) == (1.8, 6)
    place = [place for place, count in enumerate(histogram.buckets or ()) if count]
    assert metrics.BOUNDS[place[0] - 1] < 0.3 <= metrics.BOUNDS[place[0]]


@pytest.mark.django_db
def test_what_could_not_be_written_is_kept_for_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics.STARTED.add("probe")
    metrics.DURATION.observe(2, "probe")

    def gone(*_: Any) -> Any:
        raise OperationalError("gone")

    with monkeypatch.context() as patch, pytest.raises(OperationalError):
        patch.setattr(connection, "cursor", gone)
        metrics.flush()
    metrics.STARTED.add("probe")
    metrics.DURATION.observe(2, "probe")
    metrics.flush()
    sums = metrics.read()
    assert sums["jobsite_runs_started_total", "probe", ""].value == 2.0
    assert sums["jobsite_run_duration_seconds", "probe", ""].value == 4.0


@pytest.mark.django_db
def test_a_histogram_whose_bounds_were_changed_begins_anew() -> None:
    Metric.objects.create(name="jobsite_run_duration_seconds", kind="probe", label="", value=99, buckets=[9, 9])
    metrics.DURATION.observe(2, "probe")
    metrics.flush()
    series = metrics.read()["jobsite_run_duration_seconds", "probe", ""]
    assert (series.value, len(series.buckets or ()), sum(series.buckets or ())) == (2.0, len(metrics.BOUNDS) + 1, 1)


@pytest.mark.django_db
def test_buckets_of_a_histogram_are_cumulative(inside: Client) -> None:
    for seconds in (0.001, 0.3, 10**6, -1):
        metrics.DURATION.observe(seconds, "probe")
    metrics.flush()
    found = scraped(inside)
    name = "jobsite_run_duration_seconds_bucket"
    bounds = ("0.001", "0.25", "0.5", "14400.0", "+Inf")
    assert [found[name, f"probe/{bound}"] for bound in bounds] == [2.0, 2.0, 3.0, 3.0, 4.0]
    assert found["jobsite_run_duration_seconds_count", "probe"] == 4.0


@pytest.mark.django_db(transaction=True)
def test_gauges_tell_how_things_stand(inside: Client, broker: Any) -> None:
    job = a_job(queue="slow", overlap="allow")
    jobs.run_now(job, by="tester")
    jobs.run_now(job, by="tester")
    started(a_job(queue="quick"))
    due(a_job(), seconds_ago=30)
    found = scraped(inside)
    names = ("jobsite_queue_waiting_runs", "jobsite_queue_messages", "jobsite_queue_running_runs")
    assert {name: found[name, "slow"] for name in names} == dict(zip(names, (2.0, 2.0, 0.0), strict=True))
    assert (found["jobsite_queue_running_runs", "quick"], found["jobsite_jobs_due", ""]) == (1.0, 1.0)
    assert (found["jobsite_broker_up", ""], found["jobsite_processes", "beat"]) == (1.0, 0.0)
    assert 30 <= found["jobsite_oldest_due_seconds", ""] < 60


@pytest.mark.django_db
def test_a_scrape_asks_a_bounded_number_of_questions(inside: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(6):
        scraped(inside)


@pytest.mark.django_db
def test_redis_away_is_told_and_costs_nothing_else(inside: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "client", lambda: Redis.from_url("redis://127.0.0.1:1", retry=None))
    found = scraped(inside)
    assert (found["jobsite_broker_up", ""], [key for key in found if key[0] == "jobsite_queue_messages"]) == (0.0, [])


@pytest.mark.django_db
@pytest.mark.parametrize("accept", ["", "*/*", "application/openmetrics-text; version=1.0.0", "nonsense;;;q=x", "é"])
def test_any_scraper_is_answered_in_a_format_it_reads(inside: Client, accept: str) -> None:
    answer = inside.get("/metrics", headers={"Accept": accept})
    wanted = "application/openmetrics-text" if "openmetrics" in accept else "text/plain"
    assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (200, wanted)


# -- Who may ---------------------------------------------------------------------------------------------------------


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer sesame", 200),
        ("bearer sesame", 200),
        (basic("anyone:sesame"), 200),
        (basic("sesame"), 401),
        ("Bearer", 401),
        ("Bearer other", 401),
        ("Bearer sésame", 401),
        ("Basic ???", 401),
        ("Token sesame", 401),
        ("", 401),
    ],
)
def test_the_token_opens_it(settings: Any, authorization: str, status: int) -> None:
    settings.METRICS_TOKEN, settings.METRICS_ALLOW_ADDRESSES = "sesame", []
    assert Client().get("/metrics", headers={"Authorization": authorization}).status_code == status


@pytest.mark.django_db
def test_no_token_is_no_empty_token(settings: Any) -> None:
    settings.METRICS_TOKEN, settings.METRICS_ALLOW_ADDRESSES = "", []
    for authorization in ("Bearer ", basic("x:")):
        assert Client().get("/metrics", headers={"Authorization": authorization}).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("allowed", "proxies", "peer", "forwarded", "status"),
    [
        (["10.0.0.0/8"], 0, "10.1.2.3", "", 200),
        (["10.0.0.0/8"], 0, "::ffff:10.1.2.3", "", 200),
        (["loopback"], 0, "::1", "", 200),
        (["10.0.0.0/8"], 0, "192.0.2.1", "", 401),
        # Nobody may say of himself where he comes from.
        (["10.0.0.0/8"], 0, "192.0.2.1", "10.1.2.3", 401),
        (["10.0.0.0/8"], 1, "10.0.0.1", "192.0.2.1", 401),
        (["10.0.0.0/8"], 1, "192.0.2.9", "192.0.2.1, 10.1.2.3", 200),
        (["10.0.0.0/8"], 0, "unix:", "", 401),
    ],
)
def test_an_allowed_address_opens_it(
    settings: Any, allowed: list[str], proxies: int, peer: str, forwarded: str, status: int
) -> None:
    settings.METRICS_ALLOW_ADDRESSES, settings.TRUSTED_PROXIES = allowed, proxies
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    assert Client(REMOTE_ADDR=peer).get("/metrics", headers=headers).status_code == status


@pytest.mark.django_db
def test_a_login_needs_the_permission(settings: Any) -> None:
    settings.METRICS_ALLOW_ADDRESSES = []
    user = User.objects.create_user("member", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get("/metrics").status_code == 401
    user.user_permissions.add(Permission.objects.get(codename="view_metric"))
    assert (client.get("/metrics").status_code, client.post("/metrics").status_code) == (200, 405)


# -- The dashboard ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_dashboard_and_the_page_of_metrics_name_what_is_exported(inside: Client) -> None:
    text = inside.get("/metrics").content.decode()
    exported = {name.removesuffix("_total") for name in re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)}
    dashboard = json.loads((ROOT / "docs/grafana/jobsite.json").read_text())
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ()))
    told = (ROOT / "docs/monitoring.md").read_text()
    named = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in re.findall(r"\bjobsite_[a-z_]+", asked)}
    assert (named - exported, exported - named) == (set(), set())
    assert {name for name in exported if f"`{name}" not in told} == set()
